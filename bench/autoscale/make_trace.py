"""`python -m bench.autoscale.make_trace`: writes traces/workday.csv, arrivals per 5 s.

It is not a recording of anybody's cluster. It is drawn, from a fixed seed, from what recorded
traces of job queues are known to look like: a daily rhythm (one working day in two hours), a rate
that wanders (an AR(1) process of its logarithm), people and schedules that submit in batches of
very unequal size (Pareto, alpha 1.3, every full "hour" a large one), and a pause at noon.
"""

from __future__ import annotations

import math
import random
from pathlib import Path

from bench.autoscale.work import poisson

TRACE = Path(__file__).parent / "traces" / "workday.csv"
BIN = 5
_SEED = 20_240
_BINS = 2 * 3600 // BIN
_HOUR = _BINS // 12


def counts() -> list[int]:
    """Return how many jobs arrive in each bin of 5 s."""
    rng = random.Random(_SEED)
    drift, made = 0.0, []
    for number in range(_BINS):
        day = number / _BINS
        drift = 0.98 * drift + rng.gauss(0, 0.08)
        rhythm = max(0.05, math.sin(math.pi * day) - 0.55 * math.exp(-(((day - 0.5) / 0.05) ** 2)))
        rate = 12 * rhythm * math.exp(drift)
        batch = 0
        if number % _HOUR == 0:
            batch = 300 + int(200 * rng.paretovariate(1.3))
        elif rng.random() < 0.01:
            batch = int(20 * rng.paretovariate(1.3))
        made.append(poisson(rate * BIN, rng) + min(batch, 4000))
    return made


def main() -> None:
    """Write the file."""
    lines = ["# Made by bench/autoscale/make_trace.py: drawn from a seed, not recorded."]
    lines += ["second,jobs", *(f"{n * BIN},{jobs}" for n, jobs in enumerate(counts()))]
    TRACE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
