"""The controller's loop on the in-memory engine: it scales pools, and cuts no job."""

import time
from pathlib import Path
from typing import Any

import pytest

from jobctl.cluster import orders
from jobctl.cluster.desired import desired
from jobctl.cluster.observed import observe
from jobctl.cluster.ordering import give
from jobctl.cluster.orders import Order
from jobctl.cluster.seed import Seed
from jobctl.config import Config
from jobctl.control import state
from jobctl.control.autoscaling import Autoscaler
from jobctl.control.departures import Departures
from jobctl.control.state import ControllerState, PoolState
from jobctl.queue import QueueInfo
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.controlled import FakePlace, Running
from tests.support.eventually import eventually
from tests.support.fleet_queue import FleetQueue

AUTOSCALE = {
    "min": 1,
    "max": 4,
    "target_backlog_per_worker": 10,
    "up_cooldown": "0s",
    "down_cooldown": "20ms",
}


def scaled(
    demo: ClusterInMemory, folder: Path, replicas: int = 2, **settings: Any
) -> tuple[Running, FleetQueue]:
    demo.up(
        {
            "controller": {"run": "host", "interval": "100ms", "cpu_overcommit": 1000},
            "workers": {"default": {"replicas": replicas, "autoscale": {**AUTOSCALE, **settings}}},
        }
    )
    queue = FleetQueue(cluster=demo)
    return Running(FakePlace(demo, folder, queue)), queue


def workers(demo: ClusterInMemory) -> set[str]:
    states = demo.states()
    return {n.removeprefix("demo-") for n, s in states.items() if "worker" in n and s == "running"}


def rule(demo: ClusterInMemory, order: Order) -> None:
    image = demo.world.boxes["demo-master-1"].spec.image
    give(demo.engine, PROJECT, image, "default", order)


def test_a_burst_makes_workers_at_once_and_the_idle_go_after_it(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    control, queue = scaled(demo, tmp_path)
    with control():
        queue.queued = 100
        eventually(lambda: len(workers(demo)) == 4)
        queue.jobs = {"worker-1": ("A",), "worker-4": ("B", "C")}
        queue.queued = 0
        # Three slots are at work, which takes two workers; those two stay as they are.
        eventually(lambda: workers(demo) == {"worker-1", "worker-4"})
        queue.jobs = {"worker-4": ("B",)}
        eventually(lambda: workers(demo) == {"worker-4"})
        assert {name for what, name in queue.told if what == "drain"} == {
            "worker-1",
            "worker-2",
            "worker-3",
        }
    assert {facts["replicas"] for facts in control.told("autoscale")} >= {4, 1}


def test_a_busy_worker_is_drained_and_goes_only_when_its_job_has_ended(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    control, queue = scaled(demo, tmp_path, replicas=3)
    queue.jobs = {"worker-1": ("A",), "worker-2": ("B",), "worker-3": ("C",)}
    with control():
        # Each has a free slot: two are enough.
        eventually(lambda: queue.told == [("drain", "worker-3")])
        control.look_again(3)
        assert workers(demo) == {"worker-1", "worker-2", "worker-3"}
        queue.jobs = {"worker-1": ("A",), "worker-2": ("B",)}
        eventually(lambda: workers(demo) == {"worker-1", "worker-2"})


def test_who_is_on_the_way_out_is_taken_back_before_anybody_is_made(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    control, queue = scaled(demo, tmp_path, replicas=3, max=3)
    queue.jobs = {"worker-1": ("A",), "worker-2": ("B",), "worker-3": ("C",)}
    with control():
        eventually(lambda: queue.told == [("drain", "worker-3")])
        control.look_again(2)
        queue.queued = 100
        eventually(lambda: queue.told[1:] == [("undrain", "worker-3")])
        control.look_again(3)
    assert workers(demo) == {"worker-1", "worker-2", "worker-3"}


def test_two_pools_of_one_queue_are_together_as_many_as_it_needs(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    rule = {**AUTOSCALE, "max": 8}
    demo.up(
        {
            "controller": {"run": "host", "interval": "100ms", "cpu_overcommit": 1000},
            "workers": {name: {"replicas": 1, "autoscale": rule} for name in ("default", "other")},
        }
    )
    queue = FleetQueue(cluster=demo)
    control = Running(FakePlace(demo, tmp_path, queue))
    with control():
        queue.queued = 100
        eventually(lambda: len(workers(demo)) == 10)
        control.look_again(3)
    assert len(workers(demo)) == 10
    assert {facts["replicas"] for facts in control.told("autoscale")} == {5}


def test_to_zero_and_back(demo: ClusterInMemory, tmp_path: Path) -> None:
    control, queue = scaled(demo, tmp_path, min=0)
    with control():
        eventually(lambda: not workers(demo))
        queue.queued = 1
        eventually(lambda: workers(demo) == {"worker-1"})


def test_a_dead_worker_comes_back_while_nothing_is_decided(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    control, queue = scaled(demo, tmp_path, down_cooldown="10m")
    with control():
        queue.silent = True
        demo.engine.kill("demo-worker-2")
        eventually(lambda: workers(demo) == {"worker-1", "worker-2"})


def test_what_nobody_expected_is_said_once_and_ends_nothing(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    control, queue = scaled(demo, tmp_path)
    sound, queue.queued = queue.queues, 100
    looks = 0

    def broken() -> list[QueueInfo]:
        nonlocal looks
        looks += 1
        raise KeyError("what")

    queue.queues = broken  # type: ignore[method-assign]
    with control():
        eventually(lambda: looks > 2)
        queue.queues = sound  # type: ignore[method-assign]
        eventually(lambda: len(workers(demo)) == 4)
    assert control.told("not-scaled") == [{"reason": "KeyError('what')"}]


def test_a_pause_keeps_the_number_and_the_end_of_it_does_not(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    control, queue = scaled(demo, tmp_path)
    rule(demo, Order(paused=True))
    queue.queued = 100
    with control():
        eventually(lambda: _told(control, "paused; otherwise 4"))
        assert workers(demo) == {"worker-1", "worker-2"}
        rule(demo, Order(maximum=3))
        eventually(lambda: len(workers(demo)) == 3)


def test_while_somebody_changes_the_cluster_nobody_is_drained(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    control, queue = scaled(demo, tmp_path)
    image = demo.world.boxes["demo-master-1"].spec.image
    with Seed(demo.engine, PROJECT, image), control():
        eventually(lambda: [f for f in control.told("autoscale") if f["replicas"] == 1])
        control.look_again(3)
        assert queue.told == []


def test_what_was_decided_survives_the_controller(demo: ClusterInMemory, tmp_path: Path) -> None:
    control, _ = scaled(demo, tmp_path, down_cooldown="10m")
    decided_before(tmp_path, 4)
    with control():
        eventually(lambda: len(workers(demo)) == 4)


def test_only_who_was_never_there_is_made_at_once(demo: ClusterInMemory, tmp_path: Path) -> None:
    control, _ = scaled(demo, tmp_path)
    decided_before(tmp_path, 4)
    clock = [0.0]
    scaler = Autoscaler(
        demo.engine,
        control.place,
        lambda *_, **__: None,
        acts=lambda: False,
        wake=lambda: None,
        ordered=lambda *_: None,
        clock=lambda: clock[0],
    )

    def look() -> tuple[int, set[str]]:
        seen = observe(demo.engine, PROJECT)
        generation = seen.generation
        assert generation is not None
        config = Config.model_validate(generation.spec.config)
        wanted, fresh = scaler.wanted(desired(generation.spec, config, ""), seen, config)
        return wanted.pools["default"].replicas, set(fresh)

    # Who wrote the spec may still be making what it says.
    assert look() == (4, set())
    clock[0] = 10.0
    assert look() == (4, {"worker-3", "worker-4"})
    # Somebody replaces one: that is his, and the others are still to come.
    demo.engine.remove("demo-worker-1", force=True)
    assert look() == (4, {"worker-3", "worker-4"})


def test_a_surplus_worker_that_nobody_can_bring_back_is_removed(demo: ClusterInMemory) -> None:
    demo.up()
    demo.engine.kill("demo-worker-2")
    clock = [0.0]
    ordered: list[str] = []
    departures = Departures(
        demo.engine,
        PROJECT,
        lambda *_, **__: None,
        lambda container, _: ordered.append(container),
        lambda: clock[0],
    )
    rows = list(observe(demo.engine, PROJECT).pool("default").values())
    for clock[0] in (0.0, 9.0):
        departures.remove_stranded("default", rows, 2)
        assert not departures.removing
    clock[0] = 11.0
    departures.remove_stranded("default", rows, 3)
    assert not departures.removing
    departures.remove_stranded("default", rows, 2)
    assert departures.removing == {"worker-2"}
    eventually(lambda: "demo-worker-2" not in demo.states())
    assert len(ordered) == 1
    assert len(workers(demo)) == 2


def decided_before(folder: Path, replicas: int) -> None:
    now = time.time()
    known = PoolState(replicas, "as it was", None, False, now)
    kept = ControllerState(now, now + 30, "the-one-before", PROJECT, (), {"default": known})
    state.write(folder, kept)


def _told(control: Running, beginning: str) -> bool:
    known = state.read(control.place.folder)
    return known is not None and known.pools["default"].reason.startswith(beginning)


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"paused": true}', b'{"paused":1,"minimum":-1}'])
def test_a_damaged_order_is_none(text: bytes) -> None:
    assert orders.orders_in({"x/orders/autoscale-default.json": text}) == {}
