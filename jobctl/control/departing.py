"""Which workers of an autoscaled pool are drained, take jobs again, or can be removed. Pure.

No job is cut: a worker first takes no more jobs, and its container goes when it holds none. What
is under way is seen from how the workers stand, so that another controller goes on with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from jobctl.queue import Worker, WorkerStatus

AWAY = (WorkerStatus.DRAINING, WorkerStatus.DRAINED)
"""Who takes no more jobs."""


@dataclass(frozen=True)
class Moves:
    """Names of workers: told to take no more jobs, told to take them again, and to be removed."""

    drain: tuple[str, ...] = ()
    undrain: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


def moves(workers: Iterable[Worker], replicas: int, told: Collection[str]) -> Moves:
    """Return what brings a pool down to so many workers that take jobs, or back up to them.

    ``workers`` are those with a running container that nobody is removing, ``told`` the
    incarnations that were drained for this purpose: whoever else drains a worker has his own.
    """
    every = list(workers)
    here = [worker for worker in every if worker.status in (WorkerStatus.IDLE, WorkerStatus.BUSY)]
    surplus = len(here) - replicas
    ours = [worker for worker in every if worker.incarnation in told]
    back = [worker for worker in ours if worker.status in AWAY]
    # Who has most to do would be away longest: take him back first.
    back.sort(key=lambda worker: (-len(worker.jobs), worker.name))
    returning = back[: max(0, -surplus)]
    gone = [w for w in ours if w.status is WorkerStatus.DRAINED and w not in returning]
    return Moves(
        drain=_names(sorted(here, key=_reluctance)[: max(0, surplus)]),
        undrain=_names(returning),
        remove=_names(gone),
    )


def _reluctance(worker: Worker) -> tuple[int, int]:
    """The idle go first, then those with the least to do, the highest number first."""
    number = worker.name.rpartition("-")[2]
    return (len(worker.jobs), -int(number) if number.isdigit() else 0)


def _names(workers: Iterable[Worker]) -> tuple[str, ...]:
    return tuple(worker.name for worker in workers)
