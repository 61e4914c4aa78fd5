"""chaos list|heal|<fault>: break something on purpose, and watch the cluster carry on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from math import ceil
from time import sleep
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobctl.chaos.catalogue import CATALOGUE, Entry
from jobctl.chaos.fault import Allowed, Fault, FaultKind, LiveFault
from jobctl.cli import chaos_options, drilling, specs, text
from jobctl.cli.context import Session
from jobctl.cli.errors import Interrupted, UsageError
from jobctl.cli.keeper import is_kept
from jobctl.cli.registry import command, group

if TYPE_CHECKING:
    from jobctl.chaos.fault import Instant


def list_faults(
    session: Session,
    live: Annotated[bool, typer.Option("--live", help="Only what is alive now.")] = False,
) -> None:
    """Explain each fault: what it does, how it is undone, and what to expect of the cluster."""
    if live:
        _list_live(session)
        return
    data = [
        {**asdict(entry), "settings": [asdict(one) for one in entry.settings]}
        for entry in CATALOGUE.values()
    ]
    session.out.result({"faults": data}, "\n\n".join(map(_explained, CATALOGUE.values())))


def _explained(entry: Entry) -> str:
    lines = [
        f"{entry.kind} {chaos_options.usage(entry)}".rstrip(),
        f"  {entry.does}",
        f"  undone: {entry.undone}",
        f"  expect: {entry.expect}",
    ]
    return "\n".join(lines)


def _list_live(session: Session) -> None:
    from jobctl.chaos.inject import live_faults  # noqa: PLC0415 - pulls in the cluster package

    found = live_faults(session.engine(), session.project)
    rows = [(one.id, one.kind.value, one.instance, text.iso(one.deadline) or "") for one in found]
    columns = ("id", "fault", "on", "until")
    session.out.result({"live": [asdict(one) for one in found]}, text.Table(columns, rows, "none"))
    if rows:
        session.out.note(session.out.addressed("next: jobctl chaos heal"))


def heal(session: Session) -> None:
    """Undo everything that is still alive, whoever made it and however that ended.

    Of drills that were killed, also the jobs are cancelled, and their folders are removed.
    """
    from jobctl.chaos import inject  # noqa: PLC0415
    from jobctl.chaos.drills import remains  # noqa: PLC0415

    engine, project = session.engine(), session.project
    found = {one.id: one for one in inject.live_faults(engine, project)}
    undone = inject.heal(engine, project)
    lines = [
        f"undone: {_named(found[one])}" if one in found else f"undone: {one}" for one in undone
    ]
    cleared = remains.clear(engine, project, session.own_client, session.now)
    lines += [f"cleared: what a drill left in {folder}" for folder in cleared]
    data = {"undone": list(undone), "cleared": list(cleared)}
    session.out.result(data, "\n".join(lines) or "nothing to undo")


def _make(session: Session, fault: Fault, allowed: Allowed, *, dry_run: bool) -> None:
    from jobctl.chaos import inject  # noqa: PLC0415

    engine, project = session.engine(), session.project
    if dry_run:
        said = inject.dry_run(engine, project, fault, allowed=allowed)
        session.out.result({"dry_run": said}, said)
        return
    # Not a secret: any target will do.
    rng = random.Random()  # noqa: S311
    made = inject.inject(engine, project, fault, rng=rng, allowed=allowed, clock=session.now)
    if isinstance(made, LiveFault):
        _last(session, made, lambda: inject.undo(engine, project, made))
        session.out.result({"fault": asdict(made), "undone": True}, f"{_named(made)}: undone")
        return
    session.out.result({"fault": asdict(made), "undone": False}, f"{_named(made)}: done")
    _say_who_mends(session, fault.kind)


def _last(session: Session, made: LiveFault, undo: Callable[[], None]) -> None:
    """Wait for the deadline, and undo the fault; at Ctrl-C at once."""
    left = made.deadline - session.now()
    until = f"{_named(made)} for {ceil(left)} s (Ctrl-C: undo it now)"
    session.out.note(until)
    try:
        sleep(max(0.0, left))
    except KeyboardInterrupt:
        undo()
        raise Interrupted(f"{_named(made)}: undone before its time.") from None
    undo()


def _say_who_mends(session: Session, kind: FaultKind) -> None:
    if CATALOGUE[kind].undone.startswith("The controller"):
        kept = is_kept(session)
        who = "the controller brings it back" if kept else "jobctl up brings it back"
        session.out.note(session.out.addressed(who) if kept else who)


def _allowed(kind: FaultKind, said: list[str]) -> Allowed:
    """Return the radius with what `--allow NAME=VALUE` changes of it."""
    found = Allowed()
    for each in ",".join(said).split(",") if said else ():
        name, _, value = each.partition("=")
        try:
            if name == "at-once":
                found = replace(found, at_once=int(value))
            elif name == "share":
                found = replace(found, share=float(value))
            elif name == "seconds":
                found = replace(found, seconds=specs.duration(value, "--allow seconds"))
            else:
                raise ValueError(name)
        except ValueError:
            raise UsageError(
                f"--allow {each!r} is none of at-once=N, share=FRACTION and seconds=LENGTH.",
                f"jobctl chaos {kind} --help",
            ) from None
    return found


def _named(one: LiveFault | Instant) -> str:
    return f"{one.kind} {one.instance}".rstrip()


def _command_of(entry: Entry) -> Callable[..., None]:
    """Return the command of a fault: its target and options are those of the catalogue."""

    def run(session: Session, **given: Any) -> None:
        kind, lasts = entry.kind, given.get("lasts")
        if given.get("target") is not None and given.get("any_one"):
            raise UsageError("Name a target or say --random, not both.", f"jobctl chaos {kind}")
        seconds = None if lasts is None else specs.duration(lasts, "--for")
        fault = Fault(kind, given.get("target"), seconds, chaos_options.settings(entry, given))
        _make(session, fault, _allowed(kind, given["allow"] or []), dry_run=given["dry_run"])

    run.__doc__ = f"{entry.does}\n\nUndone: {entry.undone}\n\nExpect: {entry.expect}"
    vars(run)["__signature__"] = chaos_options.signature(entry)
    return run


def register(app: typer.Typer) -> None:
    """Add these commands."""
    inner = group(app, "chaos", "Break things on purpose.")
    command(inner, "list", "chaos")(list_faults)
    command(inner, "heal", "chaos")(heal)
    drilling.register(inner)
    for entry in CATALOGUE.values():
        command(inner, entry.kind.value, "chaos")(_command_of(entry))
