"""From what Redis and the engine tell to a sample of one pool. Pure.

Instants are seconds of a clock that only goes forward, but those of Redis: ms since 1970.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from jobctl.control.autoscale_load import Backlog, Sample
from jobctl.control.autoscale_share import ALL, Share
from jobctl.queue import QueueInfo, QueueState, Worker, WorkerStatus

_SHORTEST_HORIZON = 1.0
_AWAY = (WorkerStatus.DRAINING, WorkerStatus.DRAINED)
_HERE = (WorkerStatus.IDLE, WorkerStatus.BUSY, WorkerStatus.LOST)


@dataclass(frozen=True)
class Memory:
    """What one sample leaves to the next: counters by incarnation, queues' last empty look."""

    ended: Mapping[str, int] | None = None
    filled_at: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at a pool.

    ``containers`` are the short ids of all its workers' containers but those that are being
    removed, ``ordered`` is how many workers it is to have, ``horizon`` within how many seconds a
    queued job should begin: of one that the queue's start rate lets begin later, nothing is said.
    ``shares`` is which part of a queue's jobs is this pool's: all of those that are not named.
    """

    now: float
    now_ms: int
    queues: tuple[str, ...]
    found: Iterable[QueueInfo]
    workers: Iterable[Worker]
    containers: Collection[str]
    ordered: int
    horizon: float
    shares: Mapping[str, Share] = field(default_factory=dict)


def sample(memory: Memory, look: Look) -> tuple[Memory, Sample]:
    """Return what to remember, and the pool's sample."""
    mine = [worker for worker in look.workers if worker.container in look.containers]
    away = [worker for worker in mine if worker.status in _AWAY]
    # A lost one is no help, but it has a container: somebody sees to that, and no other is made.
    here = [worker for worker in mine if worker.status in _HERE]
    idle = [worker for worker in here if worker.status is WorkerStatus.IDLE]
    busy = sum(min(len(worker.jobs), worker.concurrency) for worker in mine)
    free = sum(
        max(0, worker.concurrency - len(worker.jobs))
        for worker in here
        if worker.status is not WorkerStatus.LOST
    )
    infos = {info.name: info for info in look.found if info.name in look.queues}
    filled_at = {
        name: memory.filled_at.get(name, look.now) for name, info in infos.items() if info.queued
    }
    backlogs = tuple(
        _backlog(info, look, free, look.now - filled_at.get(name, look.now))
        for name, info in infos.items()
    )
    counted, ended = _ended(memory.ended, mine)
    taken = Sample(
        now=look.now,
        queues=backlogs,
        workers=len(here),
        starting=max(0, len(look.containers) - len(mine), look.ordered - len(here)),
        draining=len(away),
        idle=len(idle),
        busy_slots=busy,
        ended=ended,
    )
    return Memory(counted, filled_at), taken


def _backlog(info: QueueInfo, look: Look, free: int, filled: float) -> Backlog:
    """Make of a queue what workers could do about it.

    ``filled`` is for how long it was never seen empty: a job that was delayed, or is tried again,
    was submitted long before it began to wait.
    """
    age = 0.0 if info.oldest_at is None else max(0.0, (look.now_ms - info.oldest_at) / 1000)
    age = min(age, filled)
    paused = info.state is QueueState.PAUSED
    queued = info.queued
    if info.start_rate is not None:
        # A slot is free and the jobs wait: so it is the rate that holds them back. Otherwise more
        # workers help as many of them as the rate lets begin in time.
        paused = paused or free > 0
        within = max(_SHORTEST_HORIZON, look.horizon)
        queued = min(queued, int(info.start_rate.burst + info.start_rate.per_second * within))
        age = 0.0
    mine = look.shares.get(info.name, ALL).of(queued)
    return Backlog(mine, age, info.parked, paused)


def _ended(
    before: Mapping[str, int] | None, workers: Iterable[Worker]
) -> tuple[dict[str, int], int]:
    """Return the counters, and by how much they grew: each process counts from 0."""
    counters = {worker.incarnation: worker.ended for worker in workers}
    if before is None:
        return counters, 0
    grown = sum(max(0, count - before.get(name, 0)) for name, count in counters.items())
    return counters, grown
