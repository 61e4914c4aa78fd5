"""`./script/bench latency [ROUNDS]`: submit to start on idle workers, one job at a time.

Rounds are interleaved. The last line is ``latency ratio=R``: the worse of jobctl's p50 and p99 in
``fast`` over the best rival's, medians over the rounds.
"""

import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from bench.lab import image
from bench.lab.contestant import Contestant
from bench.lab.engine import Gauge
from bench.lab.our_stage import OurStage
from bench.lab.rival_stage import RivalStage
from bench.lab.rivals import LATENCY
from bench.queue.http import percentile
from bench.report import machine, table

_JOBS = 300
_WARM = 30
_PAUSE = (0.01, 0.06)
_SETTLE = 8.0
FAST, STRICT, HTTP = "jobctl fast", "jobctl strict", "jobctl strict, over HTTP"
SHARES = (50, 90, 99)
Rounds = dict[str, list[list[float]]]


def main() -> int:
    """Run the rounds and print the figures."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    work = Path(".state/bench/latency").resolve()
    work.mkdir(parents=True, exist_ok=True)
    strict = OurStage(work, "strict")
    rivals = image.build(strict.base(), work)
    stages: dict[str, Contestant] = {
        FAST: OurStage(work, "fast", port=18475),
        STRICT: strict,
        **{rival.name: RivalStage(rival, rivals) for rival in LATENCY},
    }
    samples: Rounds = defaultdict(list)
    for number in range(1, rounds + 1):
        for name, stage in stages.items():
            stage.open()
            try:
                stage.start_workers()
                time.sleep(_SETTLE)
                samples[name].append(_sample(stage))
                if stage is strict:
                    samples[HTTP].append(_sample_http(strict))
            finally:
                stage.close()
            p50 = percentile(samples[name][-1], 50)
            print(f"round {number} of {rounds}: {name} p50 {p50:.2f} ms", file=sys.stderr)
    gauge = Gauge()
    print(f"{machine()}; engine {gauge.version()}; {image.versions(rivals)}")
    print(f"{rounds} rounds of {_JOBS} jobs one at a time; milliseconds, median of the rounds\n")
    print(table(["", *(f"p{share}" for share in SHARES)], [_row(n, s) for n, s in samples.items()]))
    print()
    ratios = []
    for share in (50, 99):
        best = min(LATENCY, key=lambda rival: _figure(samples[rival.name], share))
        ratios.append(_figure(samples[FAST], share) / _figure(samples[best.name], share))
        print(f"p{share}: jobctl fast / {best.name} = {ratios[-1]:.2f}")
    print(f"latency ratio={max(ratios):.3f}")
    return 0


def _sample(stage: Contestant) -> list[float]:
    stage.produce("latency", _WARM, *_PAUSE)
    stage.recordings.forget_latencies()
    stage.produce("latency", _JOBS, *_PAUSE)
    return stage.recordings.latencies()


def _sample_http(stage: OurStage) -> list[float]:
    stage.recordings.forget_latencies()
    with stage.client() as client:
        for _ in range(_JOBS):
            client.submit("tasks:latency", sent_at=time.time())
            time.sleep(sum(_PAUSE) / 2)
    time.sleep(1.0)
    return stage.recordings.latencies()


def _figure(rounds: list[list[float]], share: float) -> float:
    return median(percentile(samples, share) for samples in rounds)


def _row(name: str, rounds: list[list[float]]) -> list[str]:
    return [name, *(_spread([percentile(samples, s) for samples in rounds]) for s in SHARES)]


def _spread(samples: list[float]) -> str:
    return f"{median(samples):.2f} ({min(samples):.2f}-{max(samples):.2f})"


if __name__ == "__main__":
    sys.exit(main())
