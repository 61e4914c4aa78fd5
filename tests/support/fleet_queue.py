"""A queue for tests of the autoscaler: whoever runs in the in-memory engine is registered."""

from dataclasses import dataclass, field

from jobctl.cluster import labels
from jobctl.queue import QueueInfo, Worker, WorkerStatus
from tests.support.cluster_in_memory import ClusterInMemory
from tests.support.controlled import FakeQueue


@dataclass
class FleetQueue(FakeQueue):
    """Tests say how many jobs wait and which the workers hold."""

    cluster: ClusterInMemory | None = None
    queued: int = 0
    jobs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    drained: set[str] = field(default_factory=set)
    """The containers (short ids) of those that take no more jobs."""
    told: list[tuple[str, str]] = field(default_factory=list)

    def queues(self) -> list[QueueInfo]:
        return [QueueInfo(name="default", queued=self.queued)]

    def workers(self) -> list[Worker]:
        assert self.cluster is not None
        boxes = list(self.cluster.world.boxes.values())
        return [
            self._worker(box.spec.labels[labels.INSTANCE], box.id[:12])
            for box in boxes
            if box.state == "running" and labels.POOL in box.spec.labels
        ]

    def drain(self, name: str, grace: float | None) -> None:
        assert grace is None, "a job would be cut"
        self.told.append(("drain", name))
        self.drained.add(self._container(name))

    def undrain(self, name: str) -> None:
        self.told.append(("undrain", name))
        self.drained.discard(self._container(name))

    def _container(self, name: str) -> str:
        assert self.cluster is not None
        return self.cluster.world.boxes[f"demo-{name}"].id[:12]

    def _worker(self, name: str, container: str) -> Worker:
        jobs = self.jobs.get(name, ())
        status = WorkerStatus.BUSY if jobs else WorkerStatus.IDLE
        if container in self.drained:
            status = WorkerStatus.DRAINING if jobs else WorkerStatus.DRAINED
        return Worker(
            name=name,
            pool="default",
            container=container,
            incarnation=f"inc-{container}",
            status=status,
            concurrency=2,
            queues=("default",),
            jobs=jobs,
            started_at=1,
            heartbeat_at=1,
        )
