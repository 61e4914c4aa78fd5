"""A backlog of a million jobs: CPU a job against one of ten thousand, and a worker's memory."""

import sys
import time
from pathlib import Path
from statistics import median

from bench.lab.drain import Drain, watch
from bench.lab.engine import Gauge
from bench.lab.our_stage import OurStage

_SMALL, _LARGE = 10_000, 1_000_000
_SMALL_RUNS = 5
_SETTLE = 10.0


def run(work: Path, gauge: Gauge) -> str:
    """Return the report. Redis' own CPU and the workers' count together."""
    stage = OurStage(work, "strict", port=18478, keep=2 * _LARGE)
    try:
        small = [_drain(stage, gauge, _SMALL)[0] for _ in range(_SMALL_RUNS)]
        large, idle, after = _drain(stage, gauge, _LARGE)
    finally:
        stage.close()
    few, many = median(_cpu(d) for d in small), _cpu(large)
    return "\n".join(
        [
            f"CPU a job with a backlog of {_SMALL:,}: {few:.1f} us (median of {_SMALL_RUNS})",
            f"CPU a job with a backlog of {_LARGE:,}: {many:.1f} us ({many / few - 1:+.1%})",
            f"a worker by docker stats, idle: {idle:.1f} MiB; after its share of {_LARGE:,} jobs: "
            f"{after:.1f} MiB",
        ]
    )


def _cpu(result: Drain) -> float:
    return result.worker_cpu + result.redis_cpu


def _drain(stage: OurStage, gauge: Gauge, jobs: int) -> tuple[Drain, float, float]:
    stage.open()
    worker = stage.containers()["w1"]
    stage.start_workers()
    time.sleep(_SETTLE)
    idle = gauge.memory(worker)
    stage.run("queue", "pause", "default")
    produced = stage.produce("load", 0, jobs)
    stage.run("queue", "resume", "default")
    result = watch(stage, gauge, int(produced["n"]), produced)
    print(f"backlog of {jobs:,}: {_cpu(result):.1f} us a job", file=sys.stderr, flush=True)
    time.sleep(_SETTLE)
    return result, idle, gauge.memory(worker)
