"""A backlog of a million jobs: CPU a job against one of ten thousand, and a worker's memory."""

import sys
import time
from pathlib import Path
from statistics import median

from bench.lab.engine import Gauge
from bench.lab.our_stage import OurStage

_SMALL, _LARGE = 10_000, 1_000_000
_SMALL_RUNS = 5
_SETTLE = 10.0
_POLL = 0.01


def run(work: Path, gauge: Gauge) -> str:
    """Return the report. Redis' own CPU and the workers' count together."""
    stage = OurStage(work, "strict", port=18478, keep=2 * _LARGE)
    try:
        small = [_drain(stage, gauge, _SMALL)[0] for _ in range(_SMALL_RUNS)]
        large, idle, after = _drain(stage, gauge, _LARGE)
    finally:
        stage.close()
    few, many = median(small), large
    return "\n".join(
        [
            f"CPU a job with a backlog of {_SMALL:,}: {few:.1f} us (median of {_SMALL_RUNS})",
            f"CPU a job with a backlog of {_LARGE:,}: {many:.1f} us ({many / few - 1:+.1%})",
            f"a worker by docker stats, idle: {idle:.1f} MiB; after its share of {_LARGE:,} jobs: "
            f"{after:.1f} MiB",
        ]
    )


def _drain(stage: OurStage, gauge: Gauge, jobs: int) -> tuple[float, float, float]:
    """Return the CPU us a job of Redis and the workers, and a worker's MiB before and after."""
    stage.open()
    containers = stage.containers()
    stage.start_workers()
    time.sleep(_SETTLE)
    idle = gauge.memory(containers["w1"])
    stage.run("queue", "pause", "default")
    stage.produce("load", 0, jobs)
    before = gauge.cpu(containers)
    stage.run("queue", "resume", "default")
    while sum(stage.recordings.counts()) < jobs:
        time.sleep(_POLL)
    after = gauge.cpu(containers)
    used = sum(after[name] - before[name] for name in containers) / jobs * 1e6
    print(f"backlog of {jobs:,}: {used:.1f} us a job", file=sys.stderr, flush=True)
    time.sleep(_SETTLE)
    return used, idle, gauge.memory(containers["w1"])
