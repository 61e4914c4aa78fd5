"""What an incident is: one trouble of one container, from the first sign to its end. Pure data.

Instants are seconds since the epoch. `docs/incident.schema.json` is generated from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["death", "unhealthy", "condition"]
Outcome = Literal["open", "recovered", "gave-up", "unknown"]
RemedyKind = Literal["graceful", "force"]

SCHEMA = 1


def _told(description: str) -> dict[str, str]:
    # Where the generator of the JSON Schema looks for it.
    return {"description": description}


@dataclass(frozen=True)
class Finding:
    """What was found wrong."""

    at: float = field(metadata=_told("When it was found."))
    check: str = field(
        metadata=_told("The check that failed, such as `ping`, `http` or `deaf`; `died`: a death.")
    )
    detail: str = field(metadata=_told("What was seen, as one sentence."))


@dataclass(frozen=True)
class Remedy:
    """What was done about it."""

    at: float = field(metadata=_told("When it was begun."))
    kind: RemedyKind = field(
        metadata=_told("`graceful`: drain and SIGTERM first; `force`: SIGKILL, then start.")
    )
    detail: str = field(metadata=_told("Why this one, or what came of it."))


@dataclass(frozen=True)
class Incident:
    """One trouble of one container, as it is kept and told."""

    id: str = field(metadata=_told("A ULID: sorting by id is sorting by age."))
    at: float = field(metadata=_told("When it began, in seconds since the epoch, as all instants."))
    project: str = field(metadata=_told("The name of the cluster."))
    service: str = field(
        metadata=_told("`redis`, `master`, `worker`, `controller`, or one of cluster.yaml's.")
    )
    instance: str = field(
        metadata=_told("The container, without the cluster's name: `worker-default-2`.")
    )
    kind: Kind = field(
        metadata=_told(
            "`death`: the container ended and nobody had ordered it; `unhealthy`: the watchdog "
            "found something; `condition`: healing waits for something, or gave up."
        )
    )
    cause: str = field(
        metadata=_told(
            "The cause of a death (`oom`, `worker-lost`, …), the check that failed, or the name "
            "of the condition."
        )
    )
    summary: str = field(metadata=_told("One sentence for a person."))
    findings: tuple[Finding, ...] = field(
        default=(), metadata=_told("What was found, oldest first.")
    )
    diagnostics: Mapping[str, Any] = field(
        default_factory=dict,
        metadata=_told(
            "What each diagnostic brought, by its name: text, or any JSON value. One that failed "
            'is `{"error": "…"}`.'
        ),
    )
    remedies: tuple[Remedy, ...] = field(default=(), metadata=_told("What was done, oldest first."))
    outcome: Outcome = field(
        default="open",
        metadata=_told("`unknown`: the controller itself ended before it saw how this went on."),
    )
    ended_at: float | None = field(
        default=None, metadata=_told("When it was over; null while it is open.")
    )
    schema: int = field(default=SCHEMA, metadata=_told("The version of this format."))
