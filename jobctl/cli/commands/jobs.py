"""jobs, job, wait, cancel, retry: looking at jobs and deciding about them."""

import json
import shlex
from collections.abc import Callable
from typing import Annotated, Any

import typer

from jobctl.cli import specs, text
from jobctl.cli.context import Session
from jobctl.cli.ending import Row, reason, report_waited, wait_for
from jobctl.cli.errors import FAILED, CommandError, UsageError, failure
from jobctl.cli.registry import command
from jobctl.client import UnknownJob, WrongStatus

STATUSES = (
    *("blocked", "scheduled", "queued", "claimed", "running", "succeeded", "failed", "cancelled"),
)
PAGE = 500
Ids = Annotated[list[str], typer.Argument(metavar="JOB", help="Ids of jobs.")]


def jobs(
    session: Session,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only these: " + ", ".join(STATUSES) + ".")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Only of this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many, newest first.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
) -> None:
    """List jobs, newest first."""
    if status is not None and status not in STATUSES:
        raise UsageError(f"There is no status {status!r}.", f"use one of {', '.join(STATUSES)}")
    rows: list[Row] = []
    cursor: str | None = None
    while True:
        wanted = PAGE if everything else min(PAGE, limit - len(rows))
        page = session.client.jobs(status=status, name=name, limit=wanted, cursor=cursor)
        rows.extend(page["jobs"])
        cursor = page["cursor"]
        if cursor is None or (not everything and len(rows) >= limit):
            break
    table = text.Table(
        ("job", "status", "name", "command", "worker", "submitted", "took", "why"),
        [_cells(row, session.now()) for row in rows],
        "no jobs",
    )
    session.out.result({"jobs": rows, "cursor": cursor}, table)
    if cursor is not None and not session.out.json:
        session.out.note(f"there are more than {limit}: --limit N or --all shows them")


def job(session: Session, job_id: Annotated[str, typer.Argument(metavar="JOB")]) -> None:
    """Show everything about one job."""
    row = session.client.job(one_id(job_id))
    session.out.result(row, *_details(row, session.now()))


def wait(
    session: Session,
    ids: Ids,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop waiting (not the jobs) after this.")
    ] = None,
) -> int:
    """Wait until jobs ended.

    Each end is printed as it comes.
    """
    wanted = list(dict.fromkeys(one_id(each) for each in ids))
    seconds = None if timeout is None else specs.duration(timeout, "--timeout")
    ended = wait_for(session, wanted, seconds)
    return report_waited(session, ended, len(wanted), session.out.line)


def cancel(session: Session, ids: Ids) -> int:
    """Cancel jobs, waiting or running.

    A waiting job ends at once, a running one when its processes have ended.
    """
    return _each(session, ids, session.client.cancel)


def retry(session: Session, ids: Ids) -> int:
    """Run jobs that ended once more.

    A new run begins, with all its attempts.
    """
    return _each(session, ids, session.client.retry)


def one_id(value: str) -> str:
    """Return a job's id; anything else is refused before the master is asked."""
    if not specs.is_job(value):
        raise CommandError(f"{value!r} is not a job's id.", "jobctl jobs", "unknown-job")
    return value


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


def _cells(row: Row, now: float) -> tuple[str, ...]:
    return (
        row["id"],
        row["status"],
        text.shortened(str(row.get("name") or ""), 24),
        text.shortened(shlex.join(row.get("argv") or ()), 40),
        str(row.get("worker") or ""),
        text.ago(row.get("submitted_at"), now),
        text.took(row.get("started_at"), row.get("finished_at"), now),
        _progress(row) if row["status"] == "running" else reason(row),
    )


def _progress(row: Row) -> str:
    percent = "" if row.get("progress") is None else f"{row['progress']:g}%"
    return text.shortened(f"{percent} {row.get('step') or ''}".strip(), 24)


def _details(row: Row, now: float) -> list[text.Block]:
    """Return one job as labelled lines, then its earlier attempts."""
    because = f" ({reason(row)})" if reason(row) else ""
    facts: list[tuple[str, Any]] = [
        ("job", row["id"]),
        ("name", row.get("name")),
        ("status", f"{row['status']}{because}" + (", cancelling" if row.get("cancelling") else "")),
        ("reason", row.get("reason")),
        ("command", shlex.join(row.get("argv") or ())),
        ("progress", _progress(row)),
        ("checkpoint", row.get("checkpoint")),
        ("submitted", text.ago(row.get("submitted_at"), now)),
        ("due", text.ago(row.get("due_at"), now) if row["status"] == "scheduled" else ""),
        ("started", text.ago(row.get("started_at"), now)),
        ("took", text.took(row.get("started_at"), row.get("finished_at"), now)),
        ("worker", row.get("worker")),
        ("attempt", f"{row.get('attempt', 0)}, {_tries(row)}"),
        ("accepted", f"attempt {row['accepted']}" if row.get("accepted") else ""),
        ("limits", _limits(row)),
        ("env", " ".join(f"{key}={value}" for key, value in (row.get("env") or {}).items())),
        ("stdin", "given" if row.get("has_stdin") else ""),
        ("array", _array(row)),
    ]
    known = [(label, _flat(value)) for label, value in facts if value not in (None, "")]
    width = max(len(label) for label, _ in known) + len(text.GAP)
    blocks: list[text.Block] = ["\n".join(f"{label:<{width}}{value}" for label, value in known)]
    if row.get("history"):
        blocks.append("")
        blocks.append(
            text.Table(
                ("earlier attempt", "worker", "took", "why"),
                [
                    (
                        str(past["attempt"]),
                        str(past.get("worker") or ""),
                        text.took(past.get("started_at"), past.get("ended_at"), now),
                        " ".join(word for word in (reason(past), past.get("reason") or "") if word),
                    )
                    for past in row["history"]
                ],
            )
        )
    return blocks


def _tries(row: Row) -> str:
    failures = f"{row.get('failures', 0)} of {row.get('max_attempts', 1)} failures"
    crashes = f", {text.counted(row['crashes'], 'lost worker')}" if row.get("crashes") else ""
    run = f", run {row['run']}" if (row.get("run") or 1) > 1 else ""
    return failures + crashes + run


def _limits(row: Row) -> str:
    timeout, grace = row.get("timeout"), row.get("grace")
    parts = [f"timeout {text.span(timeout)}"] if timeout else []
    return ", ".join(parts + ([f"grace {text.span(grace)}"] if grace is not None else []))


def _array(row: Row) -> str:
    index = row.get("array_index")
    return f"index {index} of {row.get('array')}" if index is not None else ""


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for name, function in (
        ("jobs", jobs),
        ("job", job),
        ("wait", wait),
        ("cancel", cancel),
        ("retry", retry),
    ):
        command(app, name)(function)
