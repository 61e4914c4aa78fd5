"""How many jobs to hold beyond the running ones, and how they are shared out. Pure.

Jobs of microseconds need many per call to Redis; of jobs that take long, each one that waits
here is one that another worker could be running. Durations and instants are seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

LONG = 0.1
"""A job that takes this long: nothing is held behind such jobs."""

MAX_AHEAD = 256
"""The most jobs that one worker holds beyond the running ones."""

MAX_BATCH = 128
"""The most jobs that one lane gets at once: half of that, so that two batches are in the air."""

MAX_COMMANDS = 16
"""The most commands that one lane gets at once: each is a process, and takes a millisecond."""

PATIENCE = 1.0
"""What would wait longer than this before it starts is handed back."""

GATHER = 0.025
"""How long ends wait for others to be told with, while there is enough to run."""

ENOUGH = GATHER + 0.01
"""Enough to run: when the ends are told some is left, until what they bring along is here."""

# How much work to hold, per slot.
_AHEAD = 0.05
# Waking a second slot for less work than this costs more than it saves.
_WORTH_A_SLOT = 0.002
# The weight of the newest batch in the average: a few batches after a change it is known.
_WEIGHT = 0.2
# Below what any clock here can tell; keeps divisions sane.
_SHORTEST = 1e-6


class Pace:
    """How long a job takes in its slot, of late. `per_job` is None before the first one."""

    __slots__ = ("per_job",)

    def __init__(self, per_job: float | None = None) -> None:
        self.per_job = per_job

    def note(self, seconds: float, jobs: int) -> None:
        """So many jobs, one after the other, took so long."""
        sample = max(_SHORTEST, seconds / jobs)
        former = sample if self.per_job is None else self.per_job
        self.per_job = former + _WEIGHT * (sample - former)

    def surprise(self) -> None:
        """A job runs longer than its like: no more is held until it is clear what comes."""
        self.per_job = max(LONG, self.per_job or 0.0)


def depth(per_job: float | None, slots: int) -> int:
    """How many jobs to hold beyond the running ones."""
    if per_job is None or per_job >= LONG:
        return 0
    return min(MAX_AHEAD, int(slots * _AHEAD / per_job))


def lasts(waiting: int, per_job: float | None, slots: int) -> float:
    """For how many seconds so many waiting jobs keep the slots at work; 0 if nobody knows."""
    return waiting * (per_job or 0.0) / slots


def share(waiting: int, free: int, per_job: float | None) -> int:
    """How many of the waiting jobs one of the free slots gets."""
    if per_job is None or per_job >= LONG:
        return min(waiting, 1)
    even = -(-waiting // free)
    worthwhile = int(_WORTH_A_SLOT / per_job)
    bearable = max(1, int(_AHEAD / per_job))
    return min(waiting, max(even, worthwhile), bearable, MAX_BATCH)


def commands_at_once(waiting: int, slots: int) -> int:
    """The most of the waiting commands that one of the slots gets.

    Half of its share: the other half is for who is done first, and the last go one by one.
    """
    return max(1, min(MAX_COMMANDS, waiting // (2 * slots)))


def overdue(
    waited: Sequence[float], busy_for: Sequence[float], per_job: float | None
) -> tuple[list[int], float]:
    """Which of the waiting jobs to hand back, and in how many seconds to look again.

    `waited` holds, in the order in which they will run, how long each waits already;
    `busy_for` how long each slot has been at its current job. What has run long is expected
    to run as long again. With a free slot nothing waits, so nothing is overdue.
    """
    first_free = min(busy_for)
    pace = per_job or 0.0
    late: list[int] = []
    spare = PATIENCE
    for place, since in enumerate(waited):
        left = PATIENCE - since - first_free - place // len(busy_for) * pace
        if left <= 0:
            late.append(place)
        else:
            spare = min(spare, left)
    # Both what it waited and what it is expected to wait grow with the time.
    return late, spare / 2


# Every so many claims one begins with another queue than the most important one.
_EVERY = 8


def queue_order(queues: Sequence[str], turn: int) -> tuple[str, ...]:
    """The queues in the order for the `turn`th claim: the first named first, mostly.

    A queue that is never empty must not keep those behind it waiting for ever: every eighth
    claim begins with one of the others, each in its turn.
    """
    if len(queues) == 1 or turn % _EVERY != _EVERY - 1:
        return tuple(queues)
    first = 1 + turn // _EVERY % (len(queues) - 1)
    return (queues[first], *queues[:first], *queues[first + 1 :])
