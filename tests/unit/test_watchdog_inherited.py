"""What the next controller makes of what an earlier one gave up."""

from dataclasses import replace
from typing import Any

from jobctl.cluster.observed import observe
from jobctl.config import Config
from jobctl.control.healing import Condition
from jobctl.control.incident import Finding, Incident, Remedy
from jobctl.control.watchdog_inherited import inherited
from jobctl.control.watchdog_model import Record
from jobctl.control.watchdog_targets import View
from jobctl.engine.model import Executed
from tests.support.cluster_in_memory import PROJECT
from tests.support.eventually import eventually
from tests.support.watched import TIMES, Watched, at_work

CHECK = {"check": {"command": ["check"]}, "restart": "force"}
WELL, ILL = Executed(0, b""), Executed(3, b"no answer")


class Check:
    """What the check of `api` says; it fails at first."""

    def __init__(self, watched: Watched) -> None:
        self.answer = ILL
        self._asked = 0
        watched.cluster.world.programs["check"] = self._run

    def _run(self, _name: str, _argv: tuple[str, ...]) -> Executed:
        self._asked += 1
        return self.answer

    def asked_again(self) -> None:
        """Wait until it was asked so often that something would have come of it."""
        until = self._asked + 6
        eventually(lambda: self._asked >= until)


def up(watched: Watched, **watchdog: Any) -> None:
    watched.cluster.up(
        {
            "controller": {"run": "off"},
            "services": {"api": {"image": "some:1", "command": ["serve"]}},
            "watchdog": {**TIMES, "services": {"api": CHECK}, **watchdog},
        }
    )
    watched.redis.registered = at_work(watched.cluster, "worker-1", "worker-2", "worker-3")


def test_the_next_controller_neither_tries_nor_tells_again(watched: Watched) -> None:
    check = Check(watched)
    up(watched)
    with watched():
        given_up = watched.incident("api-1", "gave-up")
    told, ordered = list(watched.said), list(watched.ordered)
    assert len(ordered) == 3
    with watched():
        check.asked_again()
        assert watched.incidents() == [given_up]
        assert (watched.said, watched.ordered) == (told, ordered)
        check.answer = WELL
        recovered = watched.incident("api-1", "recovered")
        assert recovered.id == given_up.id
        # From here on it is watched like any other.
        check.answer = ILL
        eventually(lambda: len(watched.incidents()) == 2)


def test_only_what_may_recover_is_taken_up_and_only_of_the_same_container(
    watched: Watched,
) -> None:
    up(watched)
    engine = watched.cluster.engine
    seen = observe(engine, PROJECT, ask=False)
    assert seen.generation is not None
    config = Config.model_validate(seen.generation.spec.config)
    view = View(seen, watched.cluster.wanted(), config, watched.clock())
    created = seen.containers[f"{PROJECT}-api-1"].created
    kept = Incident(
        id="",
        at=created,
        project=PROJECT,
        service="api",
        instance="api-1",
        kind="unhealthy",
        cause="command",
        summary="",
        # It had been checked over HTTP first, and was given up by a command.
        findings=(Finding(created, "http", ""), Finding(created, "command", "")),
        remedies=(Remedy(created, "force", ""),),
        outcome="gave-up",
        ended_at=created + 1,
    )
    taken_up = Record("api", wrong=frozenset({"command"}), tried=1, gave_up=True)
    assert inherited(view, [kept]) == {"api-1": taken_up}
    deaf = replace(kept, instance="worker-2", service="worker", findings=(Finding(0, "deaf", ""),))
    assert inherited(view, [deaf])["worker-2"].wrong == {"deaf"}
    others = [
        replace(kept, ended_at=created - 1),  # made anew since
        replace(kept, findings=kept.findings[:1]),  # checked in another way now
        replace(kept, kind="death"),  # healing's
        replace(kept, instance="api-2"),  # gone
    ]
    assert [inherited(view, [each]) for each in others] == [{}, {}, {}, {}]


def test_a_crash_loop_of_the_same_container_is_not_told_again_either(watched: Watched) -> None:
    check = Check(watched)
    up(watched)
    with watched():
        watched.incident("api-1", "gave-up")
        at = watched.clock()
        loop = Condition("CrashLoop", "api-1", at, "It ended 3 times.", "jobctl incidents")
        watched.conditions = (loop,)
        eventually(lambda: watched.incidents()[0].findings[-1].check == "CrashLoop")
    told = list(watched.said)
    watched.conditions = (replace(loop, since=at + 0.3),)
    with watched():
        check.asked_again()
        assert watched.said == told
        check.answer = WELL
        check.asked_again()
        assert watched.incidents()[0].outcome == "gave-up", "healing has given it up, too"
        watched.conditions = ()
        watched.incident("api-1", "recovered")
    assert len(watched.incidents()) == 1
