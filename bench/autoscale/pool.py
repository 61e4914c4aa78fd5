"""A simulated pool: a queue, workers of one slot each, and time in ticks.

Jobs are kept as cohorts (how many came in which tick), not one by one: the cost of a tick does
not depend on how many jobs or workers there are, so 10,000 workers at 20,000 jobs a second run
as fast as ten. Order is first in, first out; a job's wait is exact to a tick. Jobs shorter than
a tick share a slot within it; longer ones hold it for a whole number of ticks, rounded at random
so that the mean is right. Work that is begun is always finished: going workers drain.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

from bench.autoscale.work import Service, whole
from jobctl.control.autoscale_load import Backlog, Sample


@dataclass(frozen=True)
class Host:
    """How workers start: seconds until one is ready (give or take a third), how many a second."""

    startup: float = 5.0
    starts_per_second: float = 6.0


@dataclass
class Pool:
    """All instants and waits are in ticks of `tick` seconds.

    `told_busy` counts the workers that were told to go while they ran a job.
    """

    service: Service
    host: Host
    rng: random.Random
    tick: float = 0.25
    ready: int = 0
    draining: int = 0
    busy: int = 0
    now: int = 0
    queued: int = 0
    ended: int = 0
    worker_ticks: int = 0
    told_busy: int = 0
    waits: Counter[int] = field(default_factory=Counter)
    _queue: deque[tuple[int, int]] = field(default_factory=deque)
    _ends: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _starts: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _starting: int = 0
    _next_start: float = 0.0
    _overdrawn: float = 0.0
    _short: float = 0.0
    _told: int = 0

    def step(self, arrivals: int) -> None:
        """Let one tick pass."""
        self._end()
        came = self._starts.pop(self.now, 0)
        self._starting -= came
        self.ready += came
        if arrivals:
            self._queue.append((self.now, arrivals))
            self.queued += arrivals
        self._begin()
        self.worker_ticks += self.ready + self._starting + self.draining
        self.now += 1

    def scale(self, replicas: int) -> None:
        """Order workers, or let idle ones go at once and busy ones when they are done."""
        have = self.ready + self._starting
        for _ in range(replicas - have):
            self._order()
        surplus = max(0, min(have - replicas, self.ready))
        at_once = min(surplus, self.ready - self.busy)
        self.ready -= surplus
        self.busy -= surplus - at_once
        self.draining += surplus - at_once
        self.told_busy += surplus - at_once

    def sample(self) -> Sample:
        """Return what the controller would see now."""
        short = min(whole(self._short, self.rng), self.ready - self.busy)
        ended, self._told = self.ended - self._told, self.ended
        return Sample(
            now=self.now * self.tick,
            queues=(Backlog(self.queued, self.oldest()),),
            workers=self.ready,
            starting=self._starting,
            draining=self.draining,
            idle=self.ready - self.busy - short,
            busy_slots=self.busy + self.draining + short,
            ended=ended,
        )

    def oldest(self) -> float:
        """Return how long (s) the oldest queued job waits."""
        return (self.now - self._queue[0][0]) * self.tick if self._queue else 0.0

    def leave(self) -> None:
        """Count what still waits as if it began now."""
        for came, count in self._queue:
            self.waits[self.now - came] += count

    def _order(self) -> None:
        at = self.now * self.tick
        self._next_start = max(self._next_start, at) + 1 / self.host.starts_per_second
        takes = self.host.startup * self.rng.uniform(2 / 3, 4 / 3)
        self._starts[max(self.now, round((self._next_start + takes) / self.tick))] += 1
        self._starting += 1

    def _end(self) -> None:
        ends = self._ends.pop(self.now, 0)
        if not ends:
            return
        self.ended += ends
        gone = whole(ends * self.draining / (self.busy + self.draining), self.rng)
        gone = max(min(gone, self.draining), ends - self.busy)
        self.draining -= gone
        self.busy -= ends - gone

    def _begin(self) -> None:
        """Fill the free slots. A tick of each is what there is to give away."""
        slots = self.ready - self.busy
        free = slots * self.tick - self._overdrawn
        self._short = 0.0
        while free > 1e-9 and self._queue:
            came, count = self._queue[0]
            taken = max(1, min(count, int(free / min(self.service.mean, self.tick))))
            for seconds, jobs in self.service.split(taken, self.rng):
                free -= self._run(seconds, jobs)
            self.waits[self.now - came] += taken
            self.queued -= taken
            if taken == count:
                self._queue.popleft()
            else:
                self._queue[0] = (came, count - taken)
        # What a last job took beyond the tick is missing from the next one.
        self._overdrawn = max(0.0, -free)

    def _run(self, seconds: float, jobs: int) -> float:
        """Begin equal jobs; return how many slot-seconds of this tick they take."""
        if seconds < self.tick:
            self.ended += jobs
            self._short += jobs * seconds / self.tick
            return jobs * seconds
        ticks = seconds / self.tick
        longer = whole((ticks - int(ticks)) * jobs, self.rng)
        self.busy += jobs
        self._ends[self.now + int(ticks)] += jobs - longer
        self._ends[self.now + int(ticks) + 1] += longer
        return jobs * self.tick
