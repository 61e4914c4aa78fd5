"""`./script/bench recovery [KILLS [ROUNDS]] [CONTESTANT…]`: 20 kills of each, in 4 rounds.

The last line is ``recovery ratio=R``: the worst sample of jobctl with its controller over the worst
of the best rival. Exit code 1 if a bar was missed.
"""

import math
import random
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.lab import image
from bench.lab.contestant import Contestant
from bench.lab.engine import Gauge
from bench.lab.our_stage import OurStage
from bench.lab.rival_stage import RivalStage
from bench.lab.rivals import RECOVERY
from bench.recovery.drill import RATE, SECONDS, Drill, Revival
from bench.recovery.ledger import Ledger
from bench.recovery.verdict import Verdict
from bench.report import machine, table

ON, OFF = "jobctl", "jobctl without controller"
_PLACES = 4


@dataclass(frozen=True)
class Run:
    """One contestant's part of a round; ``twice`` is the ledger's word, for who has one."""

    verdict: Verdict
    twice: int | None = None


def main() -> int:
    """Run the rounds and print every sample and the figures."""
    words = sys.argv[1:]
    kills = int(words.pop(0)) if words and words[0].isdigit() else 20
    rounds = int(words.pop(0)) if words and words[0].isdigit() else 4
    work = Path(".state/bench/recovery").resolve()
    work.mkdir(parents=True, exist_ok=True)
    ours = {ON: _ours(work, "on", 18480), OFF: _ours(work, "off", 18481)}
    try:
        rivals = image.build(ours[OFF].base(), work)
    finally:
        ours[OFF].close()
    stages: dict[str, Contestant] = {
        **ours,
        **{rival.name: RivalStage(rival, rivals) for rival in RECOVERY},
    }
    stages = {name: stage for name, stage in stages.items() if not words or name in words}
    runs: dict[str, list[Run]] = defaultdict(list)
    for number in range(rounds):
        # Every contestant is killed at the same moments of its clock.
        portion = kills // rounds + (number < kills % rounds)
        for name, stage in stages.items():
            runs[name].append(_run(name, stage, portion, random.Random(number)))
            verdict = runs[name][-1].verdict
            seen = " ".join(f"{s:.2f}" for s in verdict.samples)
            print(
                f"round {number + 1} of {rounds}: {name}: {seen}; {verdict.lost} lost, "
                f"{verdict.ended_twice} ended twice, {verdict.needless} needless",
                file=sys.stderr,
                flush=True,
            )
    gauge = Gauge()
    print(f"{machine()}; engine {gauge.version()}; {image.versions(rivals)}")
    print(
        f"{kills} kills in {rounds} rounds, 3 workers of 0.5 CPU and 128 MB with {_PLACES} places, "
        f"{RATE} jobs of {SECONDS:g} s a second; seconds from the kill to the second start\n"
    )
    print(table(_HEAD, [_row(name, stages[name].setting, some) for name, some in runs.items()]))
    print()
    for name, some in runs.items():
        print(f"{name}: {' '.join(f'{s:.3f}' for s in sorted(_samples(some)))}")
    best = min((n for n in runs if n not in ours), key=lambda n: _worst(runs[n]), default=None)
    if best is None or ON not in runs:
        return 0
    ratio = _worst(runs[ON]) / _worst(runs[best])
    bars = _bars(runs[ON], ratio)
    print(f"\nthe best rival: {best}")
    held = (f"{what} {'reached' if ok else 'MISSED'}" for what, ok in bars.items())
    print(f"bars: {', '.join(held)}")
    print(f"recovery ratio={ratio:.3f}")
    return 0 if all(bars.values()) else 1


def _bars(runs: list[Run], ratio: float) -> dict[str, bool]:
    """Return what was promised of jobctl with its controller, and whether it holds."""
    return {
        "worst < 1.0 s": _worst(runs) < 1.0,
        "0 lost": sum(run.verdict.lost for run in runs) == 0,
        "0 accepted twice": sum(run.twice or 0 for run in runs) == 0,
        "ratio <= 0.35": ratio <= 0.35,
    }


def _ours(work: Path, controller: str, port: int) -> OurStage:
    settings: dict[str, Any] = {"lease": "10s", "controller": {"run": "off"}}
    if controller == "on":
        # Twenty deaths in a row are no crash loop here.
        settings["controller"] = {"run": "container"}
        settings["healing"] = {"max_backoff": "1s", "give_up_after": 1000}
    pool = {"concurrency": _PLACES}
    label = f"recovery-{controller}"
    return OurStage(work, "strict", port=port, label=label, settings=settings, pool=pool)


def _run(name: str, stage: Contestant, kills: int, dice: random.Random) -> Run:
    revival = {ON: Revival.CLUSTER, OFF: Revival.LAST}.get(name, Revival.AT_ONCE)
    stage.open()
    try:
        stage.start_workers()
        ledger = Ledger(stage) if isinstance(stage, OurStage) else None
        verdict = Drill(stage, revival, dice).run(kills)
        return Run(verdict, ledger.twice() if ledger else None)
    finally:
        stage.close()


_HEAD = (
    "", "median", "worst", "samples", "lost", "accepted twice", "ended twice", "needless runs",
    "setting",
)  # fmt: skip


def _row(name: str, setting: str, runs: list[Run]) -> list[str]:
    samples = _samples(runs)
    ledgers = [run.twice for run in runs if run.twice is not None]
    return [
        name,
        f"{median(samples):.2f}" if samples else "-",
        f"{_worst(runs):.2f}",
        str(len(samples)),
        str(sum(run.verdict.lost for run in runs)),
        str(sum(ledgers)) if ledgers else "-",
        str(sum(run.verdict.ended_twice for run in runs)),
        str(sum(run.verdict.needless for run in runs)),
        setting,
    ]


def _samples(runs: list[Run]) -> list[float]:
    return [sample for run in runs for sample in run.verdict.samples]


def _worst(runs: list[Run]) -> float:
    return max(_samples(runs), default=math.nan)


if __name__ == "__main__":
    sys.exit(main())
