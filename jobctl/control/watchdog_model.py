"""What the watchdog decides from and what it decides, as plain data.

Instants are seconds of one clock, durations seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from jobctl.control.incident import Finding, Remedy, RemedyKind

Restart = Literal["graceful", "force", "never"]

LADDERS: Mapping[Restart, tuple[RemedyKind, ...]] = {
    "graceful": ("graceful", "force", "force"),
    "force": ("force", "force", "force"),
    "never": (),
}
"""The remedies that are tried one after the other; after the last one the watchdog gives up."""


@dataclass(frozen=True)
class Target:
    """A container that is checked, and how.

    ``failures`` of one check in a row are a finding. After a remedy failures count only when
    ``cooldown`` has passed. ``needs``: the instances without which it cannot be well, without
    cycles. ``left_alone`` says why it is not to be judged now ("paused", "being replaced").
    """

    instance: str
    service: str
    failures: int = 3
    cooldown: float = 60.0
    restart: Restart = "graceful"
    needs: frozenset[str] = frozenset()
    left_alone: str = ""


@dataclass(frozen=True)
class Result:
    """What one check of one target said; ``at`` is when the check was begun."""

    instance: str
    check: str
    at: float
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class Seen:
    """All that happened since the last decision.

    ``mending``: the instances whose remedy is still being carried out. ``locked``: a command
    holds the operation lock and changes containers itself.
    """

    targets: tuple[Target, ...]
    results: tuple[Result, ...] = ()
    mending: frozenset[str] = frozenset()
    locked: bool = False


@dataclass(frozen=True)
class Failing:
    """How often a check has failed in a row, and what it said last."""

    times: int
    detail: str


@dataclass(frozen=True)
class Record:
    """What is remembered of one target.

    ``wrong`` are the checks that were found to fail and have not passed since. ``tried`` counts
    the remedies since it was last well for a cooldown. Results from before ``mended_at`` tell
    nothing, failures from before ``settled_at`` neither. ``waits_since``: it wants a remedy.
    """

    service: str
    failing: Mapping[str, Failing] = field(default_factory=dict)
    wrong: frozenset[str] = frozenset()
    tried: int = 0
    mended_at: float = float("-inf")
    settled_at: float = float("-inf")
    well_since: float | None = None
    waits_since: float | None = None
    gave_up: bool = False


@dataclass(frozen=True)
class State:
    """What the watchdog remembers between two decisions; ``restarting`` is the one at most."""

    records: Mapping[str, Record] = field(default_factory=dict)
    restarting: str | None = None


@dataclass(frozen=True)
class Found:
    """Something is wrong: diagnose it, open an incident."""

    instance: str
    service: str
    finding: Finding


@dataclass(frozen=True)
class Mend:
    """Carry out a remedy, and name the instance in `Seen.mending` until that is done."""

    instance: str
    service: str
    remedy: Remedy


@dataclass(frozen=True)
class Ended:
    """An incident is over. One that was given up may still recover later."""

    instance: str
    service: str
    at: float
    outcome: Literal["recovered", "gave-up"]
    reason: str


Intent = Found | Mend | Ended
