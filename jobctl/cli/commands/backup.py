"""backup, restore: all jobs of a cluster as one file."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from jobctl.cli import text
from jobctl.cli.context import Session
from jobctl.cli.errors import CommandError
from jobctl.cli.registry import command
from jobctl.cli.step import Progressed

File = Annotated[Path, typer.Argument(metavar="FILE")]
_TOLD_EVERY = 4 << 20


def backup(
    session: Session,
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Save all jobs, arrays, queue states and schedules as one file.

    The cluster goes on meanwhile. Logs and outputs of jobs are not in it. FILE appears whole or not
    at all.
    """
    if file.exists() and not force:
        message = f"There is a file {file} already."
        raise CommandError(message, f"jobctl backup {file} --force", "exists")
    with session.out.progress() as progress:
        told = _telling(progress.step, str(file.name))
        session.client.backup(file, told=told)
    size = file.stat().st_size
    session.out.result({"file": str(file), "bytes": size}, f"wrote {file} ({text.size(size)})")
    session.out.note(session.out.addressed(f"next: jobctl restore {file}, in any cluster"))


def restore(session: Session, file: File) -> None:
    """Put the jobs of a backup into this cluster.

    Jobs that it has already are left alone, so it may be repeated. What ran when the backup was
    made is queued again, at the head of its queue.
    """
    with session.out.progress() as progress:
        found = session.client.restore(file, told=_telling(progress.step, str(file.name)))
    counts = found["counts"]
    told = [f"restored {text.counted(found['restored'], 'job')} from {file}"]
    told += [f"it holds {', '.join(text.counted(number, kind) for kind, number in counts.items())}"]
    there = counts.get("job", 0) - found["restored"]
    told += [f"{there} of its jobs {'was' if there == 1 else 'were'} here already"] if there else []
    session.out.result(found, "; ".join(told))


def _telling(step: Callable[[Progressed], None], subject: str) -> Callable[[int], None]:
    """Make bytes so far a step every few megabytes."""
    due = _TOLD_EVERY

    def told(done: int) -> None:
        nonlocal due
        if done >= due:
            due = done + _TOLD_EVERY
            step(Progressed(subject, text.size(done)))

    return told


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "backup")(backup)
    command(app, "restore")(restore)
