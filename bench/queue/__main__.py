"""`./script/bench queue [PAIRS] [SECTION…]`: drain, commands, http, listing, backlog, lasting.

The last line is ``queue ratio=R``: jobctl at ``durability: strict`` over the fastest rival.
"""

import sys
from pathlib import Path

from bench.lab import image
from bench.lab.contestant import Contestant
from bench.lab.engine import Gauge
from bench.lab.our_stage import OurStage
from bench.lab.rival_stage import RivalStage
from bench.lab.rivals import THROUGHPUT
from bench.queue import backlog, commands, http, lasting, listing, throughput
from bench.report import machine

_OUR_JOBS = 300_000
STRICT, FAST = "jobctl strict", "jobctl fast"
SECTIONS = ("drain", "commands", "http", "listing", "backlog", "lasting")


def main() -> int:
    """Run the sections asked for, all without a choice."""
    words = sys.argv[1:]
    pairs = int(words.pop(0)) if words and words[0].isdigit() else 5
    wanted = words or list(SECTIONS)
    work = Path(".state/bench/queue").resolve()
    work.mkdir(parents=True, exist_ok=True)
    rivals = image.build(_base(work), work)
    gauge = Gauge()
    print(f"{machine()}; engine {gauge.version()}; {image.versions(rivals)}\n", flush=True)
    final = ""
    if "drain" in wanted:
        final = _drain(work, rivals, pairs, gauge)
    if "commands" in wanted:
        print(commands.run(work, gauge, rivals, pairs), end="\n\n", flush=True)
    if "http" in wanted:
        print(http.run(work, gauge), end="\n\n", flush=True)
    if "listing" in wanted:
        print(listing.run(work, gauge), end="\n\n", flush=True)
    if "backlog" in wanted:
        print(backlog.run(work, gauge), end="\n\n", flush=True)
    if "lasting" in wanted:
        print(lasting.run(work, rivals), end="\n\n", flush=True)
    if final:
        print(final)
    return 0


def _drain(work: Path, rivals: str, pairs: int, gauge: Gauge) -> str:
    contestants: dict[str, tuple[Contestant, int]] = {
        STRICT: (OurStage(work, "strict"), _OUR_JOBS),
        FAST: (OurStage(work, "fast", port=18475), _OUR_JOBS),
    }
    for rival in THROUGHPUT:
        contestants[rival.name] = (RivalStage(rival, rivals), rival.jobs)
    drains = throughput.run(contestants, pairs, gauge)
    print(throughput.report(drains, {n: c.setting for n, (c, _) in contestants.items()}))
    best = throughput.fastest(drains, [rival.name for rival in THROUGHPUT])
    bulk = [rival.name for rival in THROUGHPUT if rival.bulk]
    print(f"\nthe fastest rival: {best}")
    for name in bulk:
        print(f"bulk enqueue / {name} = {throughput.bulk_ratio(drains, STRICT, name):.2f} (strict)")
    print(f"fast / {best} = {throughput.ratio(drains, FAST, best):.2f}\n", flush=True)
    return f"queue ratio={throughput.ratio(drains, STRICT, best):.3f}"


def _base(work: Path) -> str:
    """Return the cluster's base image, made if it is not there."""
    stage = OurStage(work, "strict")
    try:
        return stage.base()
    finally:
        stage.close()


if __name__ == "__main__":
    sys.exit(main())
