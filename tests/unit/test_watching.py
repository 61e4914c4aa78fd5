"""The watchdog at work on the in-memory engine: what it finds, does, keeps and tells."""

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from jobctl.control.deaths import Death, Orderer
from jobctl.control.healing import Condition
from jobctl.control.incidents import Incidents
from jobctl.engine.model import EngineEvent, Executed
from jobctl.queue import Cause
from tests.support.cluster_in_memory import PROJECT
from tests.support.eventually import eventually
from tests.support.memory_engine import MemoryEngine
from tests.support.watched import TIMES, Clock, Watched, at_work
from tests.support.webhook_receiver import WebhookReceiver

API = {
    "image": "some:1",
    "command": ["serve"],
    "env": {"PASSWORD": "of the database"},
}

BUSY = "Redis cannot serve now: BUSY Redis is busy running a script."


def up(watched: Watched, **watchdog: Any) -> None:
    watched.cluster.up(
        {
            "controller": {"run": "off"},
            "services": {"api": API},
            "watchdog": {
                **TIMES,
                "services": {"api": {"check": {"command": ["check"]}, **watchdog.pop("api", {})}},
                **watchdog,
            },
        }
    )
    watched.redis.registered = at_work(watched.cluster, "worker-1", "worker-2", "worker-3")


def break_check(watched: Watched, until: int = 2**30) -> None:
    """Let the check of `api` fail until it was started again so often."""
    starts = 0

    def started(name: str) -> None:
        nonlocal starts
        starts += name == "demo-api-1"

    watched.cluster.world.on_start = started
    watched.cluster.world.programs["check"] = lambda _name, _argv: (
        Executed(0, b"") if starts >= until else Executed(3, b"no answer from the database")
    )


def test_a_failing_check_is_diagnosed_mended_and_over(watched: Watched) -> None:
    up(watched, api={"diagnostics": [["echo", "who", "is", "there"]]})
    watched.cluster.world.write_log("demo-api-1", b"cannot reach the database\n")
    break_check(watched, until=1)
    with watched():
        incident = watched.incident("api-1", "recovered")
    [finding] = incident.findings
    assert (incident.kind, incident.cause, finding.check) == ("unhealthy", "command", "command")
    assert "exit code 3: no answer from the database" in finding.detail
    [remedy] = incident.remedies
    assert remedy.kind == "graceful"
    assert remedy.detail.endswith("; stopped and started again")
    assert incident.diagnostics["logs"] == "cannot reach the database\n"
    echo = incident.diagnostics["command echo who is there"]
    assert echo == {"exit_code": 0, "output": "who is there\n"}
    assert incident.diagnostics["inspect"]["state"] == "running"
    assert watched.ordered == [(watched.container("api-1"), Orderer.WATCHDOG)]
    assert incident.ended_at is not None


def test_gentle_then_by_force_then_given_up_with_a_reason(watched: Watched) -> None:
    up(watched)
    break_check(watched)
    with watched():
        incident = watched.incident("api-1", "gave-up")
    assert [remedy.kind for remedy in incident.remedies] == ["graceful", "force", "force"]
    assert "restarting it did not help" in incident.summary
    calls = [m.call for m in watched.cluster.world.mutations if m.subject.startswith("demo-api-1")]
    assert calls[:1] == ["create"]
    [facts] = watched.told("gave-up")
    assert facts["instance"] == "api-1"


def test_what_must_not_be_restarted_is_only_told(watched: Watched) -> None:
    up(watched, api={"restart": "never"})
    break_check(watched)
    with watched():
        incident = watched.incident("api-1", "gave-up")
    assert incident.remedies == ()
    assert "restart: never" in incident.summary
    assert watched.ordered == []


def test_a_check_that_never_ends_has_failed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(watched, api={"restart": "never"})
    watched.hurried = True
    over = threading.Event()

    def hang(_engine: MemoryEngine, _name: str, _argv: tuple[str, ...]) -> Executed:
        over.wait(30)
        return Executed(0, b"")

    monkeypatch.setattr(MemoryEngine, "execute", hang)
    with watched():
        incident = watched.incident("api-1", "gave-up")
        over.set()
    assert incident.findings[0].detail == "no answer within 5 s"


def test_no_secret_is_in_an_incident(watched: Watched) -> None:
    watched.secret = b"between the two"
    up(watched, api={"restart": "never"})
    watched.cluster.world.write_log("demo-api-1", b"signed with between the two\n")
    break_check(watched)
    with watched():
        incident = watched.incident("api-1", "gave-up")
    [file] = (watched.folder / "incidents").glob("*.json")
    assert incident.diagnostics["logs"] == "signed with (hidden)\n"
    assert "of the database" not in json.dumps(incident.diagnostics)
    assert "between the two" not in file.read_text()


def test_redis_busy_with_a_script_is_mended_without_a_restart(watched: Watched) -> None:
    up(watched)
    watched.redis.failing = BUSY
    watched.redis.kills = ["SCRIPT"]
    with watched():
        incident = watched.incident("redis-1", "recovered")
    assert [remedy.detail.rpartition("; ")[2] for remedy in incident.remedies] == [
        "the script that kept it busy was ended"
    ]
    assert watched.ordered == []
    assert incident.diagnostics["redis memory"] == {"error": BUSY}
    [only] = watched.incidents()
    assert only.instance == "redis-1", "who needs Redis is not judged meanwhile"


def test_a_deaf_worker_is_drained_restarted_and_back_in_its_network(watched: Watched) -> None:
    up(watched)
    [first, *others] = watched.redis.registered
    watched.redis.registered = [replace(first, heartbeat_at=1), *others]
    watched.cluster.engine.disconnect(f"{PROJECT}-net", "demo-worker-1")
    watched.cluster.world.on_start = lambda name: (
        watched.redis.registered.__setitem__(0, first) if name == "demo-worker-1" else None
    )
    with watched():
        incident = watched.incident("worker-1", "recovered")
    assert (incident.kind, incident.cause, incident.service) == ("unhealthy", "deaf", "worker")
    assert "in no network of the cluster" in incident.remedies[0].detail
    assert watched.redis.drained == ["worker-1"]
    assert watched.cluster.world.boxes["demo-worker-1"].addresses.keys() == {f"{PROJECT}-net"}
    assert incident.diagnostics["worker"]["status"] == "idle"


def test_while_a_command_is_at_work_nothing_is_judged(watched: Watched) -> None:
    up(watched)
    break_check(watched, until=1)
    tried = threading.Event()
    check = watched.cluster.world.programs["check"]

    def seen(name: str, argv: tuple[str, ...]) -> Executed:
        tried.set()
        return check(name, argv)

    watched.cluster.world.programs["check"] = seen
    watched.locked = True
    with watched():
        for _ in range(4):
            tried.clear()
            assert tried.wait(30)
        assert watched.incidents() == []
        watched.locked = False
        watched.incident("api-1", "recovered")


def test_whoever_stands_by_tries_nothing(watched: Watched) -> None:
    up(watched)
    with watched() as watching:
        eventually(lambda: "GET /livez" in watched.cluster.master.requests)
    watching.stand_by()
    assert watching.mending == frozenset()
    assert watched.incidents() == []


def test_a_death_that_nobody_ordered_is_kept_with_its_cause(watched: Watched) -> None:
    up(watched, enabled=False)
    watched.deaths["demo-worker-2"] = Death(Cause.OOM, "killed by the kernel: out of memory")
    with watched():
        watched.cluster.engine.kill("demo-worker-2")
        eventually(watched.incidents)
        watched.cluster.engine.start("demo-worker-2")
        incident = watched.incident("worker-2", "recovered")
    assert (incident.kind, incident.cause, incident.service) == ("death", "oom", "worker")
    assert incident.summary.startswith("worker-2 died: killed by the kernel: out of memory.")
    assert incident.diagnostics["inspect"]["exit_code"] == 137


def test_an_ordered_death_is_no_incident(watched: Watched) -> None:
    up(watched, enabled=False)
    watched.deaths["demo-worker-2"] = Death(Cause.WORKER_LOST, "ended")
    with watched():
        watched.cluster.engine.kill("demo-worker-1")
        watched.cluster.engine.kill("demo-worker-2")
        eventually(watched.incidents)
    assert [incident.instance for incident in watched.incidents()] == ["worker-2"]


def test_a_crash_loop_is_one_incident_that_is_given_up(watched: Watched) -> None:
    up(watched, enabled=False)
    watched.deaths["demo-api-1"] = Death(Cause.EXIT, "ended with exit code 3")
    loop = Condition("CrashLoop", "api-1", 5.0, "It ended 3 times.", "jobctl incidents")
    with watched():
        for _ in range(2):
            watched.cluster.world.crash("demo-api-1", 3)
        eventually(lambda: len(watched.told("finding")) == 2)
        watched.conditions = (loop,)
        incident = watched.incident("api-1", "gave-up")
        assert [finding.check for finding in incident.findings] == ["died", "died", "CrashLoop"]
        watched.cluster.world.crash("demo-api-1", 3)
        eventually(lambda: len(watched.incidents()[0].findings) == 4)
        assert len(watched.told("finding")) == 3, "nobody hears that it goes on"
        watched.conditions = ()
        watched.incident("api-1", "recovered")
    assert len(watched.incidents()) == 1


def test_the_last_death_before_it_is_given_up_is_told_first(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(watched, enabled=False)
    # No second passes: it is not told because it is time.
    monkeypatch.setattr(Clock, "tick", lambda _clock: None)
    died = EngineEvent(
        "container",
        "die",
        watched.container("api-1"),
        "demo-api-1",
        {"jobctl.instance": "api-1"},
        watched.clock(),
        exit_code=3,
    )
    with watched() as watching:
        watching.heard(died, Death(Cause.EXIT, "ended with exit code 3"))
        watched.conditions = (
            Condition("CrashLoop", "api-1", 5.0, "It ended 3 times.", "jobctl incidents"),
        )
        incident = watched.incident("api-1", "gave-up")
    assert (incident.kind, incident.cause) == ("death", "exit")
    assert [finding.check for finding in incident.findings] == ["died", "CrashLoop"]


def test_the_next_controller_does_not_tell_again_of_what_was_given_up(watched: Watched) -> None:
    up(watched, enabled=False)
    watched.deaths["demo-api-1"] = Death(Cause.EXIT, "ended with exit code 3")
    loop = Condition("CrashLoop", "api-1", 5.0, "It ended 3 times.", "jobctl incidents")
    with watched():
        watched.cluster.world.crash("demo-api-1", 3)
        eventually(lambda: watched.told("finding"))
        watched.conditions = (loop,)
        watched.incident("api-1", "gave-up")
    told = [event for event, _ in watched.said]
    # It had heard of the same death a moment later.
    watched.conditions = (replace(loop, since=5.3),)
    with watched():
        watched.cluster.world.crash("demo-api-1", 3)
        eventually(lambda: len(watched.incidents()[0].findings) == 3)
        assert [event for event, _ in watched.said] == told
        watched.conditions = ()
        watched.incident("api-1", "recovered")
    assert len(watched.incidents()) == 1


def test_a_receiver_is_told_and_a_dead_one_holds_up_nothing(watched: Watched) -> None:
    watched.secret = b"s"
    with WebhookReceiver() as receiver:
        up(watched, webhook={"url": receiver.url, "retries": 0})
        break_check(watched, until=1)
        with watched():
            watched.incident("api-1", "recovered")
            got = receiver.wait_for(3)
    events = [json.loads(each.body)["event"] for each in got]
    assert events == ["finding", "remedy", "recovered"]
    assert all(each.headers["X-Jobctl-Signature"].startswith("sha256=") for each in got)
    break_check(watched, until=1)
    with watched():
        eventually(lambda: len(watched.told("recovered")) == 2)


def test_what_an_earlier_controller_left_open_is_closed(watched: Watched) -> None:
    up(watched, api={"restart": "never"})
    break_check(watched)
    with watched():
        incident = watched.incident("api-1", "gave-up")
    kept = Incidents(watched.folder)
    kept.write(replace(incident, outcome="open", ended_at=None))
    watched.cluster.world.programs["check"] = lambda _name, _argv: Executed(0, b"")
    with watched():
        eventually(lambda: kept.newest()[0].outcome == "unknown")


def test_a_full_disk_keeps_nobody_from_being_mended(watched: Watched) -> None:
    watched.folder.write_text("a file where the folder should be")
    up(watched)
    break_check(watched, until=1)
    with watched():
        eventually(lambda: watched.told("recovered"))
    assert watched.told("not-kept")


def test_a_remedy_that_the_engine_refuses_is_told_and_the_next_one_tried(watched: Watched) -> None:
    up(watched)
    break_check(watched, until=1)
    watched.cluster.world.fail("stop")
    with watched():
        incident = watched.incident("api-1", "recovered")
    first, second, *_ = incident.remedies
    assert "it failed: stop fails" in first.detail
    assert second.kind == "force"
