"""incidents, incident: what went wrong in the cluster, and what was done about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobctl.cli import text
from jobctl.cli.context import Session
from jobctl.cli.errors import CommandError, UsageError
from jobctl.cli.registry import command
from jobctl.queue import is_id

if TYPE_CHECKING:
    from jobctl.control.incident import Incident

_WIDEST = 72


def incidents(
    session: Session,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=500, help="How many of the newest.")
    ] = 20,
) -> None:
    """List what went wrong: deaths that nobody had ordered, what the watchdog found, crash loops.

    They are read through the engine, so nothing of the cluster has to work. The newest 500 are
    kept; what `jobctl down` leaves of them can be read after the next `jobctl up`.
    """
    from jobctl.control.incident_reading import read_incidents  # noqa: PLC0415 - for few

    newest = read_incidents(session.engine(), session.project)[:limit]
    rows = [
        (
            each.id,
            text.ago(text.iso(each.at), session.now()),
            each.instance,
            each.cause,
            each.outcome,
            _cut(each.summary),
        )
        for each in newest
    ]
    columns = ("id", "began", "instance", "cause", "outcome", "summary")
    data = {"incidents": [asdict(each) for each in newest]}
    session.out.result(data, text.Table(columns, rows, "no incidents"))
    if rows:
        session.out.note(session.out.addressed(f"next: jobctl incident {newest[0].id}"))


def incident(
    session: Session, incident_id: Annotated[str, typer.Argument(metavar="INCIDENT")]
) -> None:
    """Show one incident: findings, remedies, and what each diagnostic brought."""
    from jobctl.control.incident_reading import read_incident  # noqa: PLC0415 - for few

    if not is_id(incident_id):
        raise UsageError(f"{incident_id!r} is no id of an incident.", "jobctl incidents")
    found = read_incident(session.engine(), session.project, incident_id)
    if found is None:
        raise CommandError(
            f"There is no incident {incident_id}.", "jobctl incidents", "unknown-incident"
        )
    session.out.result({"incident": asdict(found)}, "\n".join(_lines(found, session.now())))


def _lines(found: Incident, now: float) -> Iterator[str]:
    began, ended = text.iso(found.at), text.iso(found.ended_at or 0.0)
    yield found.summary
    yield f"{'instance':<10} {found.instance}"
    yield f"{'kind':<10} {found.kind} ({found.cause})"
    yield f"{'outcome':<10} {found.outcome}"
    yield f"{'began':<10} {began} ({text.ago(began, now)})"
    if ended:
        yield f"{'ended':<10} {ended} (after {text.took(began, ended, now)})"
    yield from _section("findings", [(f.at, f.check, f.detail) for f in found.findings])
    yield from _section("remedies", [(r.at, r.kind, r.detail) for r in found.remedies])
    for name, value in found.diagnostics.items():
        yield f"\n{name}:"
        yield from (f"  {line}" for line in _told(value))


def _section(title: str, entries: list[tuple[float, str, str]]) -> Iterator[str]:
    if entries:
        yield f"\n{title}:"
        yield from (f"  {text.iso(at)}  {kind}: {detail}" for at, kind, detail in entries)


def _told(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines() or ["-"]
    if isinstance(value, Mapping) and "output" in value:
        return [f"exit code {value.get('exit_code')}", *str(value["output"]).splitlines()]
    return json.dumps(value, indent=1, ensure_ascii=False, default=str).splitlines()


def _cut(summary: str) -> str:
    return summary if len(summary) <= _WIDEST else summary[: _WIDEST - 1] + "…"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "incidents")(incidents)
    command(app, "incident")(incident)
