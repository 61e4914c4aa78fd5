"""queue ls|pause|resume|drain and schedule ls: what jobs wait in, and the clock they come by."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from jobctl.cli import text
from jobctl.cli.context import Session
from jobctl.cli.registry import command, group

QueueName = Annotated[str, typer.Argument(metavar="QUEUE")]


def queues(session: Session) -> None:
    """List the queues.

    These are all that hold jobs, were held up, or have a rate in the cluster file. Jobs that wait
    for their --limit-key are not among the queued, but parked.
    """
    found = session.client.queues()
    rows = [
        (
            queue["name"],
            queue["state"],
            str(queue["queued"]),
            str(queue["parked"]),
            text.ago(queue["oldest_at"], session.now()),
            _rate(queue["start_rate"]),
            _rate(queue["submit_rate"]),
        )
        for queue in found
    ]
    columns = ("queue", "state", "queued", "parked", "oldest", "start rate", "submit rate")
    session.out.result({"queues": found}, text.Table(columns, rows, "no queues"))


def pause(session: Session, name: QueueName) -> None:
    """Let no more jobs of a queue start; what runs goes on, and submits are taken."""
    session.out.result(session.client.pause(name), f"{name} paused")
    _note_unused(session, name)
    session.out.note(session.out.addressed(f"next: jobctl queue resume {name}"))


def drain(session: Session, name: QueueName) -> None:
    """Refuse further submits to a queue; what is in it runs."""
    session.out.result(session.client.drain_queue(name), f"{name} draining")
    _note_unused(session, name)
    session.out.note(session.out.addressed(f"next: jobctl queue resume {name}"))


def resume(session: Session, name: QueueName) -> None:
    """Undo a pause or drain of a queue."""
    session.out.result(session.client.resume(name), f"{name} open")
    _note_unused(session, name)


def _note_unused(session: Session, name: str) -> None:
    """Say so when a queue means nothing yet: queues need not be declared, so it may be a slip."""
    served = any(name in worker["queues"] for worker in session.client.workers())
    known = any(
        queue["name"] == name
        and (queue["queued"] or queue["parked"] or queue["start_rate"] or queue["submit_rate"])
        for queue in session.client.queues()
    )
    if not served and not known:
        session.out.note(f"no worker serves {name}, and nothing is queued in it")


def schedules(session: Session) -> None:
    """List the schedules of the cluster file, and when each fires."""
    found = session.client.schedules()
    now = session.now()
    rows = [
        (
            one["name"],
            one["cron"],
            one["timezone"],
            text.ago(one["last_at"], now),
            text.ago(one["next_at"], now),
            one["missed"],
            text.shortened(one["problem"], 60),
        )
        for one in found
    ]
    columns = ("schedule", "cron", "timezone", "last", "next", "missed", "problem")
    session.out.result({"schedules": found}, text.Table(columns, rows, "no schedules"))


def _rate(rate: Mapping[str, Any] | None) -> str:
    return "" if rate is None else f"{rate['per_second']:g}/s, burst {rate['burst']}"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    inner = group(app, "queue", "Look at queues, and hold them up.")
    for name, function in (("ls", queues), ("pause", pause), ("resume", resume), ("drain", drain)):
        command(inner, name, "queue")(function)
    command(group(app, "schedule", "Look at the schedules."), "ls", "schedule")(schedules)
