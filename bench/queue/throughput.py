"""No-op jobs drained by three capped workers, and what filling the queue cost."""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from bench.lab.contestant import Contestant
from bench.lab.drain import Drain, drain
from bench.lab.engine import Gauge
from bench.report import paired_ratio, table

Drains = Mapping[str, Sequence[Drain]]

SINGLE = 2_000
"""Single submits before the bulk, in each run."""


def run(contestants: Mapping[str, tuple[Contestant, int]], pairs: int, gauge: Gauge) -> Drains:
    """Run every contestant once a round, in turn; the figures of all rounds count."""
    drains: dict[str, list[Drain]] = defaultdict(list)
    for pair in range(1, pairs + 1):
        for name, (contestant, jobs) in contestants.items():
            result = drain(contestant, gauge, SINGLE, jobs - SINGLE)
            drains[name].append(result)
            print(
                f"pair {pair} of {pairs}: {name} {result.rate:,.0f} jobs/s in "
                f"{result.window:.1f} s, CPU us/job: workers {result.worker_cpu:.0f}, "
                f"Redis {result.redis_cpu:.0f}",
                file=sys.stderr,
                flush=True,
            )
    return drains


def report(drains: Drains, settings: Mapping[str, str]) -> str:
    """Return the table of all contestants."""
    head = [
        "",
        "drained, jobs/s",
        "worker CPU us/job",
        "Redis CPU us/job",
        "single submits/s",
        "bulk enqueue/s",
        "extra executions",
        "setting",
    ]
    return table(head, [_row(name, some, settings[name]) for name, some in drains.items()])


def ratio(drains: Drains, ours: str, rival: str) -> float:
    """Return the median of the pairwise ratios of the rates."""
    return paired_ratio([d.rate for d in drains[ours]], [d.rate for d in drains[rival]])


def bulk_ratio(drains: Drains, ours: str, rival: str) -> float:
    """Return the same of the bulk enqueue rates."""
    return paired_ratio(_of(drains[ours], "bulk_per_s"), _of(drains[rival], "bulk_per_s"))


def fastest(drains: Drains, rivals: Sequence[str]) -> str:
    """Return the rival with the highest median rate."""
    return max(rivals, key=lambda name: median(d.rate for d in drains[name]))


def _row(name: str, some: Sequence[Drain], setting: str) -> list[str]:
    return [
        name,
        _spread([d.rate for d in some]),
        _spread([d.worker_cpu for d in some]),
        _spread([d.redis_cpu for d in some]),
        _spread(_of(some, "single_per_s")),
        _spread(_of(some, "bulk_per_s")),
        str(sum(d.extra for d in some)),
        setting,
    ]


def _of(some: Sequence[Drain], figure: str) -> list[float]:
    return [float(d.produced[figure]) for d in some]


def _spread(samples: Sequence[float]) -> str:
    return f"{median(samples):,.0f} ({min(samples):,.0f}-{max(samples):,.0f})"
