"""One rule on one trace: what it cost, what it spared, and how it went."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.autoscale.pool import Pool
from bench.autoscale.rules import Rule
from bench.autoscale.traces import Trace

INTERVAL = 5.0
_SEED = 4
# Waits below this (s) are equally good: nobody scales for them.
_NO_WAIT = 1.0


@dataclass
class Trial:
    """`backlog`, `workers` and `oldest` (s) are (minute, value) at every sample."""

    waits: Counter[int]
    tick: float
    wanted: list[int] = field(default_factory=list)
    worker_hours: float = 0.0
    told_busy: int = 0
    backlog: list[tuple[float, float]] = field(default_factory=list)
    workers: list[tuple[float, float]] = field(default_factory=list)
    oldest: list[tuple[float, float]] = field(default_factory=list)

    def wait(self, share: float) -> float:
        """Return the wait (s) that so many of 100 jobs do not exceed."""
        rest = sum(self.waits.values()) * share / 100
        for ticks, count in sorted(self.waits.items()):
            rest -= count
            if rest <= 0:
                return ticks * self.tick
        return 0.0

    @property
    def cost(self) -> float:
        """p99 of the wait times worker-hours: neither is to be had at the other's expense."""
        return max(_NO_WAIT, self.wait(99)) * self.worker_hours

    @property
    def turns(self) -> int:
        """How often the wanted number changed its direction."""
        return turns(self.wanted)


def turns(numbers: Sequence[int]) -> int:
    """Count the changes of direction."""
    moves = [b - a for a, b in pairwise(numbers) if a != b]
    return sum((a > 0) != (b > 0) for a, b in pairwise(moves))


def run(trace: Trace, rule: Rule) -> Trial:
    """Play the trace; the same seed gives every rule the same arrivals."""
    tick, arrivals = trace.tick, trace.arrivals(random.Random(_SEED))
    pool = Pool(trace.service, trace.host, random.Random(_SEED + 1), tick, ready=trace.minimum)
    trial = Trial(pool.waits, tick)
    every = round(INTERVAL / tick)
    for number, jobs in enumerate(arrivals):
        if number % every == 0:
            minute, sample = number * tick / 60, pool.sample()
            trial.wanted.append(rule(sample))
            pool.scale(trial.wanted[-1])
            trial.backlog.append((minute, sample.queued))
            trial.workers.append((minute, sample.workers + sample.draining))
            trial.oldest.append((minute, sample.oldest_age))
        pool.step(jobs)
    pool.leave()
    trial.told_busy = pool.told_busy
    trial.worker_hours = pool.worker_ticks * tick / 3600
    return trial
