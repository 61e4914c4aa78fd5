"""Who keeps the cluster, as `ps` tells it: what the controller found, and whether there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from jobctl import cluster
from jobctl.cli import text
from jobctl.cli.context import Session
from jobctl.cluster import names
from jobctl.control.state import ControllerState, read_state
from jobctl.engine.errors import EngineError
from jobctl.queue.span import span

if TYPE_CHECKING:
    from jobctl.cluster import InstanceRow

_SERVICE = "controller"
_ON_HOST = ":"
"""In the name of a holder, between the host and the process; a container's id has none."""

_TO_BEGIN = 30.0
"""Seconds that a controller's container may take until it has said something."""


@dataclass(frozen=True)
class Keeper:
    """``state`` is what a controller last wrote; ``silence`` why nobody keeps the cluster now, and
    ``remedy`` the next command: both "" as long as somebody does, or nobody ever did."""

    state: ControllerState | None
    silence: str = ""
    remedy: str = ""

    def lines(self) -> list[str]:
        """Return what a person is told; nothing while all is well."""
        said = [f"{self.silence} (next: {self.remedy})"] if self.silence else []
        conditions = self.state.conditions if self.state else ()
        return said + [
            f"{each.instance}: {each.name}: {each.reason} (next: {each.next})"
            for each in conditions
        ]

    def data(self) -> dict[str, Any]:
        """Return it for the envelope; times are ISO 8601."""
        state = self.state
        return {
            "controller": None
            if state is None
            else {
                "at": text.iso(state.at),
                "holder": state.holder,
                "silent": bool(self.silence),
                "silence": self.silence,
            },
            "conditions": [
                {**asdict(each), "since": text.iso(each.since)}
                for each in (state.conditions if state else ())
            ],
        }


def keeper(session: Session, rows: Sequence[InstanceRow]) -> Keeper:
    """Find out who keeps the cluster whose containers are these."""
    if not rows:
        return Keeper(None)
    try:
        state = read_state(session.engine(), session.project)
    except EngineError as error:
        session.out.note(f"what the controller found is not known: {error}")
        return Keeper(None)
    return judged(state, session.project, rows, session.now())


def is_kept(session: Session) -> bool:
    """Tell whether somebody brings back what dies: in a container, or on some host."""
    rows = cluster.ps(session.project, session.engine())
    if any(row.service == _SERVICE and row.state == "running" for row in rows):
        return True
    found = keeper(session, rows)
    return found.state is not None and not found.silence


def note_unkept(session: Session) -> None:
    """Say what is left to do, when a controller on some host is wanted and there is none."""
    if not is_kept(session):
        out = session.out
        out.note(out.addressed("nobody heals, scales or watches it: jobctl controller run"))


def judged(
    state: ControllerState | None, project: str, rows: Sequence[InstanceRow], now: float
) -> Keeper:
    """Tell a controller that works from one that does not. Pure; ``now`` in s since the epoch."""
    mine = [row for row in rows if row.service == _SERVICE]
    running = [row for row in mine if row.state == "running"]
    nobody = "nobody heals, scales or watches the cluster"
    if not mine and state is not None and _ON_HOST not in state.holder:
        return Keeper(None)  # what a container said that is there no more
    if mine and not running:
        return Keeper(state, f"No controller runs: {nobody}.", "jobctl up")
    if state is not None and now <= state.until:
        return Keeper(state)
    said = f"said nothing for {span(now - state.at)}" if state else "said nothing yet"
    if any(now - row.created > _TO_BEGIN for row in running):
        logs = f"docker logs {names.container(project, running[0].name)}"
        return Keeper(state, f"The controller has {said}: {nobody}.", logs)
    if not mine and state is not None:
        host = state.holder.partition(_ON_HOST)[0]
        text = f"The controller on the host {host} has {said}: {nobody}."
        return Keeper(state, text, "jobctl controller run")
    return Keeper(state)
