"""Refused writes are counted also when the container that told of them is removed."""

import random
from collections.abc import Callable

from jobctl.chaos.drills.fault_plan import DueFault
from jobctl.chaos.drills.in_cluster import InCluster
from jobctl.chaos.drills.surroundings import RefusedWrites
from jobctl.chaos.fault import Allowed, Fault, FaultKind
from jobctl.engine.errors import EngineError
from tests.support.chaos_in_memory import brought_up
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory

LINES = (
    b"2026-01-02T03:04:05.000Z end-refused job=A verdict=stale\n"
    b"2026-01-02T03:04:06.000Z lease-lost job=B verdict=stale\n"
    b"2026-01-02T03:04:07.000Z lease-lost job=C verdict=cancelled\n"
    b"2026-01-02T03:04:08.000Z job-finished job=D attempt=1\n"
    b"end-refused\n"
)


def made(demo: ClusterInMemory, before: Callable[..., None]) -> None:
    chaos = InCluster(demo.engine, PROJECT, Allowed(), before)
    fault = Fault(FaultKind.REMOVE_CONTAINER, "worker-2")
    chaos.inject(DueFault(0.0, fault, random.Random(1), drawn=False))


def test_the_log_is_read_before_its_container_is_removed_and_each_line_counts_once(
    demo: ClusterInMemory,
) -> None:
    brought_up(demo)
    demo.world.write_log("demo-worker-2", LINES)
    demo.world.write_log("demo-worker-1", LINES)
    refused = RefusedWrites(PROJECT, 0.0)
    made(demo, refused.collect)
    assert "demo-worker-2" not in demo.states()
    refused.collect(demo.engine)
    assert sorted((one.worker, one.job) for one in refused.found()) == [
        ("worker-1", "A"),
        ("worker-1", "B"),
        ("worker-2", "A"),
        ("worker-2", "B"),
    ]


def test_a_log_that_cannot_be_read_keeps_no_fault_from_being_made(demo: ClusterInMemory) -> None:
    def fails(_engine: object) -> None:
        raise EngineError("away")

    brought_up(demo)
    made(demo, fails)
    assert "demo-worker-2" not in demo.states()
