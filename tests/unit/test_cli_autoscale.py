"""autoscale status|pause|resume|set on an engine in memory."""

from typing import Any

import pytest

from jobctl.cluster.observed import observe
from jobctl.cluster.orders import Order
from jobctl.control import state
from jobctl.control.state import ControllerState, PoolState
from tests.support.cli_session import NOW, FakeClient, FakeParts, run
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory

RULE = {"min": 1, "max": 6, "target_wait": "30s"}


@pytest.fixture
def parts(demo: ClusterInMemory) -> FakeParts:
    return FakeParts(FakeClient(), demo.engine)


def up(demo: ClusterInMemory, run: str = "host", rule: Any = RULE) -> None:
    demo.up({"controller": {"run": run}, "workers": {"default": {"autoscale": rule}}})


def decided(until: float = NOW + 30, blocked_by: str | None = None) -> None:
    pools = {"default": PoolState(4, "40 queued, 3 s each", blocked_by, False, NOW - 9)}
    folder = state.host_folder(PROJECT)
    state.write(folder, ControllerState(NOW - 9, until, "host:1", PROJECT, (), pools))


def order_of(demo: ClusterInMemory) -> Order | None:
    return observe(demo.engine, PROJECT, ask=False).orders.get("default")


def test_status_shows_what_is_wanted_and_why(demo: ClusterInMemory, parts: FakeParts) -> None:
    up(demo)
    decided()
    ran = run("autoscale", "status", parts=parts)
    assert (ran.code, ran.err) == (0, "")
    head, row = ran.out.splitlines()
    assert head.split() == ["POOL", "WORKERS", "WANTED", "MIN", "MAX", "TARGET", "STATE", "WHY"]
    assert " ".join(row.split()) == "worker 3 4 1 6 wait 30s on 40 queued, 3 s each"
    [pool] = run("autoscale", "status", "--output", "json", parts=parts).envelope["data"]["pools"]
    assert (pool["wanted"], pool["workers"], pool["blocked_by"]) == (4, 3, None)
    assert pool["since"] == "2026-01-31T11:59:51.000Z"


def test_what_was_decided_before_a_ruling_is_not_told_as_the_reason(
    demo: ClusterInMemory, parts: FakeParts
) -> None:
    up(demo)
    decided()
    run("autoscale", "pause", "worker", parts=parts)
    assert run("autoscale", "status", parts=parts).out.split("paused")[1].strip() == (
        "nothing decided yet"
    )


def test_bounds_that_are_not_the_files_and_a_full_host_are_told(
    demo: ClusterInMemory, parts: FakeParts
) -> None:
    up(demo)
    decided()
    run("autoscale", "set", "worker", "--max", "9", parts=parts)
    ran = run("autoscale", "status", parts=parts)
    assert ("on, bounds set" in ran.out, ran.err) == (True, "")
    decided(blocked_by="host")
    assert "controller.cpu_overcommit" in run("autoscale", "status", parts=parts).err


def test_a_silent_controller_is_told(demo: ClusterInMemory, parts: FakeParts) -> None:
    up(demo)
    assert "no controller was heard of yet" in run("autoscale", "status", parts=parts).err
    decided(until=NOW - 1)
    assert "was heard of for 9s" in run("autoscale", "status", parts=parts).err


def test_pause_set_and_resume_keep_what_was_ruled_before(
    demo: ClusterInMemory, parts: FakeParts
) -> None:
    up(demo)
    decided()
    assert run("autoscale", "set", "worker", "--max", "9", parts=parts).out == (
        "worker: on, 1 to 9 workers\n"
    )
    ran = run("autoscale", "pause", "worker", parts=parts)
    assert ran.out == "worker: paused, 1 to 9 workers\n"
    assert ran.err == "next: jobctl -p demo autoscale resume worker\n"
    assert order_of(demo) == Order(paused=True, maximum=9)
    assert run("autoscale", "set", "default", "--reset", parts=parts).code == 0
    assert order_of(demo) == Order(paused=True)
    assert run("autoscale", "resume", "worker", parts=parts).code == 0
    assert order_of(demo) == Order()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give --min, --max or both, or --reset."),
        (("--min", "3", "--reset"), "Give --min, --max or both, or --reset."),
        (("--min", "8"), "The fewest workers (8) would be more than the most (6)."),
        (("--max", "501"), "501"),
    ],
)
def test_bounds_that_cannot_be_are_refused(
    demo: ClusterInMemory, parts: FakeParts, options: tuple[str, ...], said: str
) -> None:
    up(demo)
    ran = run("autoscale", "set", "worker", *options, parts=parts)
    assert ran.code == 2
    assert said in ran.err
    assert order_of(demo) is None


def test_who_is_not_there_is_said_in_a_sentence(demo: ClusterInMemory, parts: FakeParts) -> None:
    def said(*words: str) -> tuple[int, str]:
        ran = run("autoscale", *words, parts=parts)
        return ran.code, ran.err.splitlines()[0]

    assert said("status") == (1, "error: The cluster demo is not up.")
    up(demo, run="off")
    assert said("status") == (1, "error: demo has no controller, so nobody scales its pools.")
    demo.up({"controller": {"run": "host"}})
    assert said("pause", "worker") == (1, "error: No pool of demo is autoscaled.")
    up(demo)
    no_gpu = "error: demo has no autoscaled pool gpu; there is worker."
    assert said("pause", "gpu") == (1, no_gpu)
