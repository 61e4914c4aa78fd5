"""chaos drill|soak: break things on purpose while jobs run, and judge what became of them."""

from __future__ import annotations

import random
import shlex
import time
from collections.abc import Sequence, Set
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobctl.cli import specs
from jobctl.cli.context import Session
from jobctl.cli.drill_text import glance_line, verdict_blocks
from jobctl.cli.errors import Interrupted, UsageError
from jobctl.cli.output import Progress
from jobctl.cli.registry import command
from jobctl.cli.step import Progressed

if TYPE_CHECKING:
    from jobctl.chaos.drills.drill_file import Drill
    from jobctl.chaos.drills.run_drill import Done
    from jobctl.chaos.drills.where import Glance

_FAIL, _INCONCLUSIVE = 1, 2
_MOST_SEED = 1_000_000
# How often a line that is not on a terminal says how it stands, in seconds.
_PLAIN_EVERY = 5.0

Seed = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Make the same choices again. [a new one each time]"),
]
Report = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write a report to look at in a browser: out.html."),
]
Record = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Keep what was recorded there. [with the user's state]"),
]


def drill(
    session: Session,
    *,
    name: Annotated[
        str, typer.Argument(metavar="DRILL", help="A packaged drill, or a file of your own.")
    ],
    seed: Seed = None,
    repeat: Annotated[
        int, typer.Option(min=1, metavar="N", help="Hold it N times, with seeds that count up.")
    ] = 1,
    report: Report = None,
    record: Record = None,
) -> int:
    """Put a load on, make faults unannounced, and judge what became of every job.

    PASS is exit code 0, FAIL 1, INCONCLUSIVE (too little was seen to say which) 2.

    \b
    jobctl chaos drill kill-worker
    jobctl chaos drill mixed --seed 7 --repeat 3 --report mixed.html
    """
    from jobctl.chaos.drills.drill_file import load_drill  # noqa: PLC0415 - pydantic, for few

    loaded = load_drill(name)
    first = _seed(seed)
    seeds = range(first, first + repeat)
    again = f"drill {shlex.quote(name)}"
    return _hold(session, Path(name).stem, loaded, seeds, again=again, report=report, record=record)


def soak(
    session: Session,
    lasts: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long, such as 10m.")
    ] = "10m",
    seed: Seed = None,
    report: Report = None,
    record: Record = None,
) -> int:
    """Mix all faults at random on a steady load, and judge what became of every job.

    A seed that failed makes the same load and the same faults again. Exit codes as of `drill`.
    """
    seconds = specs.duration(lasts, "--for")
    if seconds < 1:
        raise UsageError("--for must be 1s or more.", "jobctl chaos soak --for 10m")
    from jobctl.chaos.drills.drill_file import load_drill  # noqa: PLC0415 - pydantic, for few

    loaded = load_drill("soak").model_copy(update={"lasts": seconds})
    seeds = [_seed(seed)]
    again = f"soak --for {lasts}"
    return _hold(session, "soak", loaded, seeds, again=again, report=report, record=record)


def _seed(given: int | None) -> int:
    # Not a secret.
    return random.randrange(_MOST_SEED) if given is None else given  # noqa: S311


def _hold(
    session: Session,
    name: str,
    loaded: Drill,
    seeds: Sequence[int],
    *,
    again: str,
    report: Path | None,
    record: Path | None,
) -> int:
    """Hold a drill once for each seed; returns the exit code of the worst verdict.

    ``again`` is the command that holds it again, but for the seed.
    """
    found = []
    for seed in seeds:
        done = _once(session, name, loaded, seed, record)
        found.append(done)
        if report is not None:
            _write_report(session, done, loaded, _of_seed(report, seed, len(seeds)))
        if not session.out.json:
            session.out.result(None, *verdict_blocks(done.verdict, name))
        if done.verdict.exit_code:
            session.out.note(f"recorded: {done.folder}")
            session.out.note(session.out.addressed(f"again: jobctl chaos {again} --seed {seed}"))
    if session.out.json:
        runs = [{**asdict(one.verdict), "recorded": str(one.folder)} for one in found]
        session.out.item({"runs": runs})
    return worst({one.verdict.exit_code for one in found})


def worst(codes: Set[int]) -> int:
    """Return the exit code of several runs: a FAIL says more than an INCONCLUSIVE."""
    return next((code for code in (_FAIL, _INCONCLUSIVE) if code in codes), 0)


def _once(session: Session, name: str, loaded: Drill, seed: int, record: Path | None) -> Done:
    from jobctl.chaos.drills.run_drill import run_drill  # noqa: PLC0415 - for few
    from jobctl.chaos.drills.where import Where  # noqa: PLC0415
    from jobctl.cluster import state  # noqa: PLC0415

    out = session.out
    out.note(f"drill {name}, seed {seed}: about {loaded.lasts:g} s and what recovery takes")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(session.now()))
    root = record or state.path(session.project).parent / "drills"
    session.client.stats()  # so that a wrong token or address is found before anything is broken
    with out.progress() as progress:
        shown = _Shown(progress)
        where = Where(session.project, session.engine(), session.own_client, out.note, shown.show)
        try:
            return run_drill(name, loaded, seed, where, root / f"{name}-{seed}-{stamp}")
        except KeyboardInterrupt:
            text = "Broken off: every fault is undone, and the drill's jobs are cancelled."
            raise Interrupted(text, "jobctl ps") from None


class _Shown:
    """The live line: as it changes on a terminal, every few seconds elsewhere."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._next = 0.0

    def show(self, glance: Glance) -> None:
        """Show how it stands."""
        if glance.second >= self._next:
            self._progress.step(Progressed("drill", glance_line(glance)))
            self._next = glance.second + _PLAIN_EVERY


def _of_seed(report: Path, seed: int, runs: int) -> Path:
    return report if runs == 1 else report.with_stem(f"{report.stem}-{seed}")


def _write_report(session: Session, done: Done, loaded: Drill, path: Path) -> None:
    from jobctl.chaos.drills.report import report_of  # noqa: PLC0415 - for who asks for one

    path.write_text(
        report_of(done.verdict, done.history, done.terms, loaded.description), encoding="utf-8"
    )
    session.out.note(f"report: {path}")


def register(group: typer.Typer) -> None:
    """Add these commands to the group `chaos`."""
    command(group, "drill", "chaos")(drill)
    command(group, "soak", "chaos")(soak)
