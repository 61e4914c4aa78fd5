"""jobs, dead, job: looking at jobs."""

import itertools
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple

import typer

from jobctl.cli import details, specs, text
from jobctl.cli.context import Session
from jobctl.cli.ending import Row
from jobctl.cli.errors import FAILED, OK, CommandError, UsageError, failure
from jobctl.cli.registry import command
from jobctl.client import ClientError, Unauthorized

STATUSES = (
    *("blocked", "scheduled", "queued", "claimed", "running", "succeeded", "failed", "cancelled"),
)
PAGE = 500
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="How many, newest first.")]
All = Annotated[bool, typer.Option("--all", help="All of them, however many.")]
Cursor = Annotated[
    str | None, typer.Option(metavar="CURSOR", help="Go on where another listing ended.")
]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="Only of this name.")]
Pages = Iterator[tuple[list[Row], str | None]]


class Form(NamedTuple):
    """How the jobs of a listing are shown."""

    columns: tuple[str, ...]
    cells: Callable[[Row, float], tuple[str, ...]]
    empty: str


JOBS = Form(details.COLUMNS, details.cells, "no jobs")
DEAD = Form(details.DEAD_COLUMNS, details.dead_cells, "no dead letters")


def jobs(
    session: Session,
    *,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only these: " + ", ".join(STATUSES) + ".")
    ] = None,
    name: Name = None,
    array: Annotated[
        str | None, typer.Option(metavar="ARRAY", help="Only the jobs of this array.")
    ] = None,
    limit: Limit = 50,
    everything: All = False,
    cursor: Cursor = None,
) -> int:
    """List jobs, newest first.

    A listing of any length is printed page by page as it comes.
    """
    if status is not None and status not in STATUSES:
        raise UsageError(f"There is no status {status!r}.", f"use one of {', '.join(STATUSES)}")
    if array is not None:
        # An array of no jobs and one that is not there would look the same.
        session.out.note(details.of_array(session.client.array(array)))
    wanted = {"status": status, "name": name, "array": array}
    pages = _pages(session, None if everything else limit, cursor, wanted)
    return _list(session, pages, JOBS, limit)


def dead(
    session: Session,
    *,
    name: Name = None,
    cause: Annotated[
        str | None, typer.Option(metavar="CAUSE", help="Only of this cause, such as oom.")
    ] = None,
    limit: Limit = 50,
    everything: All = False,
    cursor: Cursor = None,
) -> int:
    """List the dead letters: jobs that failed for good, newest first.

    `jobctl explain JOB` tells why, `jobctl retry` runs them once more.
    """
    most = None if everything else limit
    wanted = {"status": "failed", "name": name, "cause": specs.dead_cause(cause)}
    pages = _pages(session, most, cursor, wanted)
    return _list(session, pages, DEAD, limit)


def job(session: Session, job_id: Annotated[str, typer.Argument(metavar="JOB")]) -> None:
    """Show everything about one job."""
    row = session.client.job(one_id(job_id))
    session.out.result(row, *details.of_job(row, session.now()))


def one_id(value: str) -> str:
    """Return a job's id; anything else is refused before the master is asked."""
    if not specs.is_job(value):
        raise CommandError(f"{value!r} is not a job's id.", "jobctl jobs", "unknown-job")
    return value


def members(session: Session, array: str) -> list[str]:
    """Return the ids of an array's jobs, oldest first."""
    if not session.client.array(array)["submitted"]:
        raise CommandError(f"The array {array} has no jobs.", "jobctl jobs", "unknown-array")
    pages = _pages(session, None, None, {"status": None, "name": None, "array": array})
    return [row["id"] for rows, _ in pages for row in rows][::-1]


def _pages(
    session: Session, limit: int | None, cursor: str | None, wanted: dict[str, Any]
) -> Pages:
    """Yield pages of at most ``limit`` jobs together, each with the cursor after it."""
    left = limit
    while True:
        size = PAGE if left is None else min(PAGE, left)
        page = session.client.jobs(**wanted, limit=size, cursor=cursor)
        rows: list[Row] = list(page["jobs"])
        left = None if left is None else left - len(rows)
        cursor = page["cursor"]
        yield rows, cursor
        if cursor is None or left == 0:
            return


def _list(session: Session, pages: Pages, form: Form, limit: int) -> int:
    """Print pages as they come; of what fails half way the pages before it are printed."""
    out = session.out
    rows, cursor = next(pages)
    if out.json:
        return _stream(session, rows, cursor, pages)
    widths: list[int] = []
    for page, after in itertools.chain([(rows, cursor)], pages):
        cursor = after
        if page:
            cells = [form.cells(row, session.now()) for row in page]
            table = text.Table(form.columns, cells, head=not widths, least=widths)
            out.result(None, table)
            widths = table.widths
    if not widths:
        out.result(None, text.Table(form.columns, [], form.empty))
    if cursor is not None:
        out.note(f"there are more than {limit}: --limit N or --all shows them")
    return OK


def _stream(session: Session, rows: list[Row], cursor: str | None, pages: Pages) -> int:
    listing = session.out.listing("jobs")
    listing.add(rows)
    try:
        for more, after in pages:
            listing.add(more)
            cursor = after
    except Unauthorized:
        raise
    except ClientError as error:
        told = failure(error)
        listing.end(cursor, told)
        return FAILED
    listing.end(cursor)
    return OK


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for name, function in (("jobs", jobs), ("dead", dead), ("job", job)):
        command(app, name)(function)
