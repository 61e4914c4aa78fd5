"""`./script/bench up [PAIRS]`: interleaved runs, medians, and the ratio of `up` to compose's."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench.report import machine, paired_ratio, spread, table
from bench.up.compose import Compose
from bench.up.floor import Floor
from bench.up.jobctl import Jobctl

STEPS = ("up", "again", "scale", "down")
Samples = dict[str, dict[str, list[float]]]


def main() -> int:
    """Run the pairs and print the figures; the last line is ``up ratio=R``."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    work = Path(".state/bench/up").resolve()
    work.mkdir(parents=True, exist_ok=True)
    ours = Jobctl(work)
    ours.build()
    systems: dict[str, Jobctl | Compose | Floor] = {
        "jobctl": ours,
        "compose": Compose(work, ours.images()),
        "floor": Floor(ours.images()),
    }
    samples: Samples = defaultdict(lambda: defaultdict(list))
    try:
        for pair in range(pairs + 1):
            for name, system in systems.items():
                for step in STEPS:
                    measure: Callable[[], float] = getattr(system, step)
                    seconds = measure()
                    # The first round warms caches of pages and of the engine; it does not count.
                    if pair:
                        samples[name][step].append(seconds)
            print(f"pair {pair} of {pairs}", file=sys.stderr, flush=True)
    finally:
        for system in systems.values():
            system.clear()
    engine = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    print(f"\n{machine()}; engine {engine}; {systems['compose'].version()}; {pairs} pairs\n")
    print(table(["seconds: median (min-max)", *systems], list(rows(samples))))
    print()
    ratio = {step: against(samples, step, "compose") for step in STEPS}
    print(f"up / floor = {against(samples, 'up', 'floor'):.2f}")
    for step in STEPS[1:]:
        print(f"{step} / compose = {ratio[step]:.2f}")
    print(f"up ratio={ratio['up']:.3f}")
    return 0


def rows(samples: Samples) -> list[list[str]]:
    """Return one row a step: each system's median and spread."""
    titles = {
        "up": "up, until 3 workers are registered",
        "again": "up again, nothing changed",
        "scale": "scale 3 to 20, all ready",
        "down": "down, 23 containers and the volumes (compose: 22)",
    }
    return [[titles[step], *(spread(samples[name][step]) for name in samples)] for step in STEPS]


def against(samples: Samples, step: str, rival: str) -> float:
    """Return the median pairwise ratio of jobctl to a rival."""
    return paired_ratio(samples["jobctl"][step], samples[rival][step])


if __name__ == "__main__":
    sys.exit(main())
