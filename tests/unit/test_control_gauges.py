"""What the engine measures of the workers reaches Redis, whatever one of them does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobctl.queue import Gauges
from tests.support.cluster_in_memory import ClusterInMemory
from tests.support.controlled import FakePlace, FakeQueue, Running
from tests.support.eventually import eventually


@dataclass
class GaugeQueue(FakeQueue):
    measured: dict[str, Gauges] = field(default_factory=dict)

    def gauges(self, measured: Mapping[str, Gauges]) -> None:
        self.measured = dict(measured)


def test_each_running_worker_is_measured(demo: ClusterInMemory, tmp_path: Path) -> None:
    demo.up({"controller": {"run": "host", "interval": "100ms"}})
    queue = GaugeQueue()
    control = Running(FakePlace(demo, tmp_path, queue))
    demo.world.set_stats("demo-worker-2", cpu_seconds=7.5, memory=3 << 20, throttled_seconds=0.5)
    demo.engine.pause("demo-worker-3")
    with control():
        eventually(lambda: queue.measured.keys() == {"worker-1", "worker-2"})
    assert queue.measured["worker-2"] == Gauges(7.5, 3 << 20, 0.5)
