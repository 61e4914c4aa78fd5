"""The clock of throughput: a full queue, three workers that start, and how fast it empties."""

import time
from dataclasses import dataclass
from typing import Any

from bench.lab.contestant import Contestant
from bench.lab.engine import Gauge

_STALLED = 30.0


@dataclass(frozen=True)
class Drain:
    """Jobs a second from the moment that all workers had run one, to the last job's own.

    CPU in microseconds a job; ``extra`` are executions beyond one a job.
    """

    rate: float
    window: float
    jobs: int
    worker_cpu: float
    redis_cpu: float
    extra: int
    produced: dict[str, Any]


def drain(contestant: Contestant, gauge: Gauge, single: int, bulk: int) -> Drain:
    """Fill the queue with no worker running, start the workers, and watch."""
    contestant.open()
    try:
        produced = contestant.produce("load", single, bulk)
        return watch(contestant, gauge, int(produced["n"]), produced)
    finally:
        contestant.close()


def watch(contestant: Contestant, gauge: Gauge, n: int, produced: dict[str, Any]) -> Drain:
    """Start the workers of a queue that holds ``n`` jobs, and time them."""
    containers = contestant.containers()
    workers = len(containers) - 1
    contestant.start_workers()
    recordings = contestant.recordings
    seen, seen_at = 0, time.time()
    while len(counts := recordings.counts()) < workers or not all(counts):
        if time.time() - seen_at > _STALLED:
            raise RuntimeError(f"{contestant.name}: not every worker ran a job: {counts}")
        time.sleep(0.005)
    began, done, cpu = time.time(), sum(counts), gauge.cpu(containers)
    while (total := sum(recordings.counts())) < n:
        if total > seen:
            seen, seen_at = total, time.time()
        if time.time() - seen_at > _STALLED:
            raise RuntimeError(f"{contestant.name}: stuck at {total} of {n} jobs")
        time.sleep(0.01)
    used = gauge.cpu(containers)
    window, jobs = recordings.last() - began, n - done
    time.sleep(0.5)  # executions of what was done already would come now
    spent = {name: used[name] - cpu[name] for name in containers}
    return Drain(
        rate=jobs / window,
        window=window,
        jobs=jobs,
        worker_cpu=sum(v for k, v in spent.items() if k != "redis") / jobs * 1e6,
        redis_cpu=spent["redis"] / jobs * 1e6,
        extra=sum(recordings.counts()) - n,
        produced=produced,
    )
