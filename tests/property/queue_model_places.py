"""Where the model's jobs stand: in a queue by their place, parked for a key, or with a worker."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from jobctl.queue import JobSpec, QueueState, Status


@dataclass
class ModelJob:
    """What must be known to say what happens next."""

    spec: JobSpec
    queue: str
    after: tuple[str, ...] = ()
    status: Status = Status.QUEUED
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    losses: int = 0
    run: int = 1
    ended: int | None = None
    accepted: int | None = None
    cancelling: bool = False
    holder: str = ""
    place: tuple[int, int] = (0, 0)
    parked: bool = False
    delayed: bool = False
    waits_for: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def blockers(self) -> int:
        return len(self.waits_for) if self.status is Status.BLOCKED else 0


class Places:
    """Jobs, the states of queues, and who has the places of concurrency keys."""

    def __init__(self) -> None:
        self.jobs: dict[str, ModelJob] = {}
        self.states: dict[str, QueueState] = {}
        self.holders: defaultdict[str, set[str]] = defaultdict(set)
        self.head = self.tail = 0

    def with_status(self, *statuses: Status) -> list[ModelJob]:
        return [job for job in self.jobs.values() if job.status in statuses]

    def waiting(self, queue: str) -> list[ModelJob]:
        """The jobs in a queue, the next one first."""
        found = [j for j in self.with_status(Status.QUEUED) if j.queue == queue and not j.parked]
        return sorted(found, key=lambda job: job.place)

    def parked(self, key: str) -> list[ModelJob]:
        found = [j for j in self.jobs.values() if j.parked and j.spec.concurrency_key == key]
        return sorted(found, key=lambda job: job.place)

    def paused(self, queue: str) -> bool:
        return self.states.get(queue) is QueueState.PAUSED

    def enqueue(self, job: ModelJob, *, at_head: bool = False) -> None:
        if at_head:
            self.head -= 1
        else:
            self.tail += 1
        job.place = (-job.spec.priority, self.head if at_head else self.tail)
        job.status, job.holder, job.delayed = Status.QUEUED, "", False

    def admit(self, job: ModelJob) -> bool:
        """Give a job a place of its key, or park it."""
        if not job.spec.concurrency_key:
            return True
        holders = self.holders[job.spec.concurrency_key]
        job.parked = len(holders) >= (job.spec.concurrency_limit or 0)
        if not job.parked:
            holders.add(job.id)
        return not job.parked

    def let_in(self, key: str) -> None:
        """The first parked job that can run now goes back to its place in its queue."""
        for job in self.parked(key)[:10]:
            room = (job.spec.concurrency_limit or 0) - len(self.holders[key])
            if room > 0 and not self.paused(job.queue):
                job.parked = False
                return

    def let_go(self, job: ModelJob) -> None:
        """No worker has it any more."""
        if job.spec.concurrency_key:
            self.holders[job.spec.concurrency_key].discard(job.id)
            self.let_in(job.spec.concurrency_key)

    def offer_places(self) -> None:
        for key in {job.spec.concurrency_key for job in self.jobs.values() if job.parked}:
            self.let_in(key)
