"""cancel, retry: deciding about jobs, one by one or all of a kind."""

from collections.abc import Callable
from typing import Annotated

import typer

from jobctl.cli import specs, text
from jobctl.cli.commands.jobs import one_id
from jobctl.cli.context import Session
from jobctl.cli.ending import Row
from jobctl.cli.errors import FAILED, UsageError, failure
from jobctl.cli.registry import command
from jobctl.client import UnknownJob, WrongStatus

Ids = Annotated[list[str] | None, typer.Argument(metavar="[JOB]", help="Ids of jobs.")]


def cancel(
    session: Session,
    ids: Ids = None,
    array: Annotated[
        str | None, typer.Option(metavar="ARRAY", help="All jobs of this array.")
    ] = None,
) -> int:
    """Cancel jobs, waiting or running.

    A waiting job ends at once, a running one when its processes have ended.
    """
    if bool(ids) == (array is not None):
        raise UsageError("Name either jobs or an --array to cancel.", "jobctl cancel --array ID")
    if array is None:
        return _each(session, ids or [], session.client.cancel)
    info = session.client.cancel_array(one_id(array))
    ended = info["succeeded"] + info["failed"] + info["cancelled"]
    said = f"{array} cancelled: {ended} of {info['submitted']} have ended"
    session.out.result({"array": info}, said)
    return 0


def retry(
    session: Session,
    ids: Ids = None,
    dead: Annotated[bool, typer.Option("--dead", help="All dead letters.")] = False,
    name: Annotated[
        str | None, typer.Option(metavar="TEXT", help="With --dead: only of this name.")
    ] = None,
    cause: Annotated[
        str | None, typer.Option(metavar="CAUSE", help="With --dead: only of this cause.")
    ] = None,
) -> int:
    """Run jobs that ended once more.

    A new run begins, with all its attempts. `jobctl dead` lists what --dead means.
    """
    if bool(ids) == dead:
        raise UsageError("Name either jobs or --dead to run once more.", "jobctl retry --dead")
    if not dead:
        if name is not None or cause is not None:
            raise UsageError(
                "--name and --cause go with --dead.", "jobctl retry --dead --cause oom"
            )
        return _each(session, ids or [], session.client.retry)
    specs.dead_cause(cause)
    shown = 0

    def progress(count: int) -> None:
        nonlocal shown
        if count > shown and not session.out.json:
            session.out.note(f"{text.counted(count, 'job')} queued")
        shown = count

    done = session.client.retry_dead(name=name, cause=cause, retried=progress)
    said = "\n".join(done) or "no dead letters"
    session.out.result({"retried": len(done), "ids": done}, said)
    return 0


def _each(session: Session, ids: list[str], act: Callable[[str], Row]) -> int:
    """Act on every job, whatever became of the others; then report."""
    out = session.out
    done: list[Row] = []
    failures: list[dict[str, str]] = []
    wanted = [one_id(each) for each in ids]
    if len(wanted) == 1:
        row = act(wanted[0])
        out.result({"jobs": [row], "failures": []}, _short(row))
        return 0
    for job_id in wanted:
        try:
            row = act(job_id)
        except (UnknownJob, WrongStatus) as error:
            shown = failure(error)
            failures.append({"id": job_id, **shown.data()})
            if not out.json:
                out.failure(shown)
            continue
        done.append(row)
        if not out.json:
            out.line(_short(row))
    if out.json:
        out.item({"jobs": done, "failures": failures})
    return FAILED if failures else 0


def _short(row: Row) -> str:
    stopping = " (cancelling)" if row.get("cancelling") and row["status"] == "running" else ""
    return f"{row['id']} {row['status']}{stopping}"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "cancel")(cancel)
    command(app, "retry")(retry)
