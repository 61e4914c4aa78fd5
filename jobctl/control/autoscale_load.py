"""What the autoscaler sees of a pool, and what it makes of it: service time and offered load.

Pure; durations and instants are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp

GAP = 60.0
"""Samples further apart than this (a sleeping host, a set clock) measure nothing."""

# Averages forget with this time constant, or with one service time where that is longer.
_SHORTEST_MEMORY = 30.0
_LONGEST_MEMORY = 600.0


@dataclass(frozen=True)
class Backlog:
    """One queue that the pool serves. `oldest_age` is how long its oldest queued job waits.

    `parked` jobs wait for a concurrency key and are not in `queued`; `paused` is true also when
    the queue's start rate, not the lack of workers, holds its jobs back. Neither needs workers.
    """

    queued: int
    oldest_age: float = 0.0
    parked: int = 0
    paused: bool = False


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A pool at the instant `now` (of a clock that should not jump; nothing breaks if it does).

    `workers` are registered and claim; those `starting` or `draining` are not among them.
    `idle` of them hold nothing. `busy_slots` counts jobs being run, the draining workers' too;
    `ended` the attempts that ended since the sample before.
    """

    now: float
    queues: tuple[Backlog, ...]
    workers: int
    starting: int = 0
    draining: int = 0
    idle: int = 0
    busy_slots: int = 0
    ended: int = 0

    @property
    def queued(self) -> int:
        """Jobs that a worker more could begin."""
        return sum(queue.queued for queue in self.queues if not queue.paused)

    @property
    def oldest_age(self) -> float:
        """How long the oldest of those waits; 0 when there are none."""
        ages = (q.oldest_age for q in self.queues if q.queued and not q.paused)
        return max(ages, default=0.0)

    def since(self, before: Sample | None) -> float:
        """Seconds since an earlier sample; 0 when the clock went back."""
        return max(0.0, self.now - before.now) if before else 0.0


@dataclass(frozen=True)
class Load:
    """Running averages: slot-seconds that jobs ran, jobs that ended, slots' work that arrives."""

    before: Sample | None = None
    busy: float = 0.0
    ended: float = 0.0
    offered: float = 0.0

    @property
    def service_time(self) -> float:
        """Seconds a job: what ran, over what ended, and one imagined job of a second.

        So it is a second before anything ran, and grows while jobs run and none ends.
        """
        return (self.busy + 1.0) / (self.ended + 1.0)


def measure(load: Load, sample: Sample) -> Load:
    """Return the averages with one sample more."""
    before, passed = load.before, sample.since(load.before)
    if before is None or not 0 < passed <= GAP:
        return replace(load, before=sample)
    running = (before.busy_slots + sample.busy_slots) / 2
    memory = min(max(_SHORTEST_MEMORY, load.service_time), _LONGEST_MEMORY)
    fade = exp(-passed / memory)
    # An idle pool forgets nothing about its jobs.
    kept = fade if running or sample.ended else 1.0
    seen = Load(sample, load.busy * kept + running * passed, load.ended * kept + sample.ended)
    # What arrives is what runs and what the queue grows by: also true while all slots are busy.
    arriving = running + seen.service_time * (sample.queued - before.queued) / passed
    offered = max(0.0, load.offered * fade + (1 - fade) * arriving)
    return replace(seen, offered=offered)
