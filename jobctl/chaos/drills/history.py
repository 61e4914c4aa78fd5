"""What was seen of a drill, as plain data. The checker judges this and nothing else.

Instants are seconds since the epoch by Redis' clock, unless they are said to be somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
HELD = frozenset({"claimed", "running"})


@dataclass(frozen=True)
class Acknowledged:
    """A submit that the cluster said yes to; ``work`` names the part of the workload.

    ``sent`` is when it was sent for the first time, ``at`` when the answer was there.
    """

    at: float
    job: str
    work: str
    sent: float


@dataclass(frozen=True)
class Moved:
    """A job's change of status, as the event stream told it.

    ``event`` is the id in the stream; ``was`` is None when the job came in.
    """

    event: str
    at: float
    job: str
    was: str | None
    status: str
    attempt: int
    worker: str = ""
    cause: str | None = None


@dataclass(frozen=True)
class Mark:
    """A line that an attempt left outside Redis; ``at`` is by the clock of its container."""

    at: float
    job: str
    attempt: int
    what: Literal["begin", "end"]


@dataclass(frozen=True)
class Listed:
    """What the cluster says of a job when all is over; ``accepted`` is None for no attempt."""

    status: str
    attempt: int
    accepted: int | None = None


@dataclass(frozen=True)
class Refused:
    """A write that the fence refused, as a worker noted it in its log."""

    at: float
    job: str
    worker: str


@dataclass(frozen=True)
class FaultSeen:
    """A fault that was due: ``ended`` is when it was undone, for a kill the same instant.

    ``problem`` is why it could not be made, "" if it was.
    """

    kind: str
    instance: str
    began: float
    ended: float
    problem: str = ""


@dataclass(frozen=True)
class Fleet:
    """How many workers ran at an instant, and how many there were in all."""

    at: float
    running: int
    all: int


@dataclass(frozen=True)
class History:
    """All that is known of one drill; ``ended`` is when the listing was begun.

    ``listing`` holds every acknowledged job; None for those that the cluster does not know.
    ``breaks`` are the gaps that the recorder itself knows of. ``sent`` counts the jobs that were
    sent, acknowledged or not. ``not_restored`` says what is not as it was before the drill.
    """

    began: float
    ended: float
    acknowledged: tuple[Acknowledged, ...]
    moves: tuple[Moved, ...]
    marks: tuple[Mark, ...]
    listing: Mapping[str, Listed | None]
    faults: tuple[FaultSeen, ...] = ()
    refused: tuple[Refused, ...] = ()
    fleet: tuple[Fleet, ...] = ()
    breaks: tuple[str, ...] = ()
    sent: int = 0
    not_restored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Terms:
    """What a drill promises. Durations in seconds.

    ``expected`` are the statuses in which the jobs of a work may end, by the work's name;
    ``bound`` is how long recovery may take. The steady state: nothing waits longer than
    ``start_within`` for a worker, and at most ``backlog`` jobs wait. ``slack`` is how far the
    clocks of Redis and of the jobs may be apart, ``run_twice`` how many jobs several attempts of a
    run may begin (None: any number). ``retried_for`` are the causes that an attempt of a work may
    fail of; any, for one that is not in there.
    """

    expected: Mapping[str, frozenset[str]]
    bound: float
    start_within: float
    backlog: int
    slack: float = 0.5
    run_twice: int | None = None
    retried_for: Mapping[str, frozenset[str]] = field(default_factory=dict)
