"""Deaths that no event told of: whose container still runs is not dead, however new it is."""

from typing import cast

import pytest

from jobctl.control.releases import Releases
from jobctl.control.traces import Traces
from jobctl.queue import Cause, Queue
from tests.support.cluster_in_memory import ClusterInMemory
from tests.support.controlled import QUICK, FakeQueue, registered, short


@pytest.fixture
def queue(demo: ClusterInMemory) -> FakeQueue:
    demo.up(QUICK)
    return FakeQueue()


def looked(demo: ClusterInMemory, queue: FakeQueue, *containers: str) -> list[tuple[str, Cause]]:
    """Return what is released when workers of these containers are registered."""
    found = Releases(lambda: cast("Queue", queue), lambda *_, **__: None, Traces(), lambda: True)
    found.look([registered(f"of {each}", each) for each in containers], demo.engine.inspect)
    return queue.released


def test_one_that_was_made_a_moment_ago_lives(demo: ClusterInMemory, queue: FakeQueue) -> None:
    # Nobody has listed the containers since.
    demo.scale({"default": 4})
    demo.world.boxes["demo-worker-4"].started_at = 0.0
    assert looked(demo, queue, short(demo, "worker-4")) == []


def test_of_the_gone_and_the_ended_all_is_released(demo: ClusterInMemory, queue: FakeQueue) -> None:
    gone, ended = short(demo, "worker-1"), short(demo, "worker-2")
    demo.engine.remove("demo-worker-1", force=True)
    demo.engine.kill("demo-worker-2")
    assert looked(demo, queue, gone, ended) == [
        (gone, Cause.WORKER_LOST),
        (ended, Cause.WORKER_LOST),
    ]
