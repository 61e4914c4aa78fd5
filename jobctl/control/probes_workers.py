"""What the queue's word on workers means: which are deaf, and which are stuck. Pure.

Deaf: the container runs, Redis answers, and the worker has not been heard of for a lease. Stuck:
it is heard of and does nothing, though there is something to do and a slot to do it in. Whoever has
nothing to do proves nothing, and least of all that he is not stuck any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jobctl.control.watchdog_model import Result
from jobctl.queue import Job, QueueInfo, QueueState, Status, Worker, WorkerStatus

DEAF, STUCK = "deaf", "stuck"

FIRST_WORD = 10.0
"""Seconds that a worker gets from its container's start to its registration, or a lease."""

_NOT_TO_CLAIM = (WorkerStatus.DRAINING, WorkerStatus.DRAINED, WorkerStatus.TRIAL)
"""Who is so gets no job, or its canary alone."""


@dataclass(frozen=True)
class Running:
    """A worker's container that runs; ``since`` is None if nobody asked since when (s)."""

    instance: str
    container: str
    since: float | None = None


@dataclass(frozen=True)
class Look:
    """What the queue said at an instant ``at`` (s, of the clock of the heartbeats).

    ``waiting`` are the queues that any worker with a free slot gets a job of at once. ``held``
    has the jobs of the workers that are `unmoved` since the look before.
    """

    at: float = 0.0
    workers: tuple[Worker, ...] = ()
    waiting: frozenset[str] = frozenset()
    held: Mapping[str, Job] = field(default_factory=dict)


def unmoved(before: Look, workers: Iterable[Worker]) -> list[Worker]:
    """Return the workers that have ended nothing since the look before."""
    ended = {worker.incarnation: worker.ended for worker in before.workers}
    return [worker for worker in workers if ended.get(worker.incarnation) == worker.ended]


def waiting_in(queues: Iterable[QueueInfo]) -> frozenset[str]:
    """Return the queues with jobs that nothing but a worker keeps waiting."""
    return frozenset(
        each.name
        for each in queues
        if each.queued and each.state is not QueueState.PAUSED and each.start_rate is None
    )


def judged(rows: Iterable[Running], look: Look, before: Look, lease: float) -> list[Result]:
    """Return the results for all workers' containers that run."""
    by_container = {worker.container: worker for worker in look.workers}
    still = {worker.incarnation for worker in unmoved(before, look.workers)}
    results: list[Result] = []
    for row in rows:
        worker = by_container.get(row.container)
        deaf = _deaf(row, worker, lease, look.at)
        if deaf is None:
            continue
        results.append(Result(row.instance, DEAF, look.at, not deaf, deaf))
        if worker is not None and not deaf:
            stuck = _stuck(worker, look, before) if worker.incarnation in still else ""
            if stuck is not None:
                results.append(Result(row.instance, STUCK, look.at, not stuck, stuck))
    return results


def _deaf(row: Running, worker: Worker | None, lease: float, now: float) -> str | None:
    """Return why it counts as deaf, "" if it does not, None if that cannot be told yet."""
    if worker is not None:
        silence = now - worker.heartbeat_at / 1000
        if silence <= lease:
            return ""
        return f"Redis answers, and has not heard of it for {silence:.0f} s"
    if row.since is None or now - row.since <= max(lease, FIRST_WORD):
        return None
    return f"it has run for {now - row.since:.0f} s and is not registered"


def _stuck(worker: Worker, look: Look, before: Look) -> str | None:
    """Return why it counts as stuck, "" if it does not, None if that cannot be told.

    It has ended nothing between the two looks.
    """
    if worker.status in _NOT_TO_CLAIM:
        return None
    jobs = [look.held[job_id] for job_id in worker.jobs if job_id in look.held]
    if sum(job.status is Status.RUNNING for job in jobs) >= worker.concurrency:
        return ""
    known = {job for each in before.workers for job in each.jobs if each.name == worker.name}
    idle = [job for job in jobs if job.status is Status.CLAIMED and job.id in known]
    if idle:
        return f"it has a free slot, and has not begun job {idle[0].id}, which it claimed"
    work = sorted(look.waiting & before.waiting & set(worker.queues))
    if work and not worker.jobs and not known:
        return f"it is idle and claims nothing, while jobs wait in the queue {work[0]}"
    return "" if worker.jobs else None
