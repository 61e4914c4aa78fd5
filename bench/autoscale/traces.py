"""The arrival traces: what comes when, how long it takes, and what the pool may do about it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.autoscale.make_trace import BIN, TRACE
from bench.autoscale.pool import Host
from bench.autoscale.recorded import QUIET, batches
from bench.autoscale.work import Service, poisson


@dataclass(frozen=True, kw_only=True)
class Trace:
    """`rate(second)` is jobs a second; `batches` are jobs that all come at one second.

    `wait` (s) is the target of all rules: `backlog` per worker is what takes as long.
    """

    name: str
    seconds: int
    service: Service
    maximum: int
    rate: Callable[[float], float]
    batches: dict[int, int]
    minimum: int = 1
    wait: float = 10.0
    host: Host = field(default_factory=Host)
    tick: float = 0.25

    @property
    def backlog(self) -> float:
        """Jobs that one worker of one slot does within the target wait."""
        return max(1.0, self.wait / self.service.mean)

    def arrivals(self, rng: random.Random) -> list[int]:
        """Return how many jobs come in each tick (s)."""
        tick = self.tick
        made = [
            poisson(self.rate(number * tick) * tick, rng)
            for number in range(round(self.seconds / tick))
        ]
        for second, jobs in self.batches.items():
            made[round(second / tick)] += jobs
        return made


def _synthetic() -> list[Trace]:
    second = Service(1.0)
    return [
        Trace(
            name="steps",
            seconds=2700,
            service=second,
            maximum=80,
            rate=lambda t: 40.0 if 600 <= t < 1500 else 4.0,
            batches={},
        ),
        Trace(
            name="ramp",
            seconds=3600,
            service=second,
            maximum=80,
            rate=lambda t: max(0.5, 50 * (1 - abs(t - 1500) / 1500)),
            batches={},
        ),
        Trace(
            name="day",
            seconds=7200,
            service=Service(2.0, 1.0),
            tick=0.5,
            maximum=100,
            rate=lambda t: 15.0 * (1 - 0.95 * math.cos(2 * math.pi * t / 7200)),
            batches={},
        ),
        Trace(
            name="bursts of 5,000",
            seconds=3600,
            service=Service(0.5),
            minimum=3,
            maximum=50,
            rate=lambda t: 1.0 if t < 3300 else 0.0,
            batches={300: 5000, 1200: 5000, 2400: 5000},
        ),
        Trace(
            name="on and off, to zero",
            seconds=3600,
            service=second,
            minimum=0,
            maximum=40,
            rate=lambda t: 20.0 if t % 600 < 200 else 0.0,
            batches={},
        ),
        Trace(
            name="long jobs",
            seconds=10_800,
            service=Service(180.0, 1.0),
            maximum=80,
            wait=30.0,
            tick=1.0,
            rate=lambda t: 0.2 if 1800 <= t < 7200 else 0.05,
            batches={},
        ),
        Trace(
            name="10,000 workers",
            seconds=2400,
            service=Service(0.45),
            minimum=100,
            maximum=10_000,
            rate=lambda t: 20_000.0 if 300 <= t < 1200 else 2_000.0,
            batches={},
            host=Host(startup=5.0, starts_per_second=400.0),
        ),
    ]


def _workday() -> Trace:
    lines = TRACE.read_text().splitlines()[2:]
    counts = [int(line.split(",")[1]) for line in lines]
    return Trace(
        name="workday (seeded)",
        seconds=len(counts) * BIN,
        service=Service(1.5, 1.0),
        tick=0.5,
        minimum=0,
        maximum=60,
        rate=lambda _: 0.0,
        # All of a bin at its start: the harder case.
        batches={number * BIN: jobs for number, jobs in enumerate(counts)},
    )


def recorded() -> Trace:
    """Return the uploads of a month of releases."""
    made = batches()
    return Trace(
        name="uploads (recorded)",
        seconds=max(made) + QUIET,
        service=Service(3.0, 1.0),
        tick=0.5,
        minimum=0,
        maximum=80,
        rate=lambda _: 0.0,
        batches=made,
    )


def traces() -> list[Trace]:
    """Return all of them."""
    return [*_synthetic(), _workday(), recorded()]
