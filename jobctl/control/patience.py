"""Whose leases are extended, because the engine says why its heartbeat is late. Pure.

A paused worker cannot renew, and one that has used up its share of the processor may be too
late; neither is dead. All instants are seconds of one clock, that of the heartbeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

THROTTLED = 0.5
"""The share of its periods in which a worker had to wait: from here on that explains a delay."""


@dataclass(frozen=True)
class Sample:
    """The counters of `Stats`: periods in which it wanted to run, and those cut short."""

    periods: int
    throttled_periods: int


@dataclass(frozen=True)
class Suspect:
    """A registered worker whose container exists.

    ``paused_since`` is when its `pause` event was, None when nobody heard it. ``sample`` is
    None when there are no new stats.
    """

    incarnation: str
    heartbeat_at: float
    paused: bool = False
    paused_since: float | None = None
    sample: Sample | None = None


@dataclass(frozen=True)
class Spell:
    """A time in which a worker is known to be unable to renew."""

    why: Literal["paused", "throttled"]
    since: float


@dataclass(frozen=True)
class Extension:
    """Whose leases are to last until when, and why."""

    incarnation: str
    until: float
    why: Literal["paused", "throttled"]


@dataclass(frozen=True)
class State:
    """What is remembered, by incarnation."""

    spells: Mapping[str, Spell] = field(default_factory=dict)
    samples: Mapping[str, Sample] = field(default_factory=dict)


def decide(
    state: State, suspects: Iterable[Suspect], now: float, patience: float, late_after: float
) -> tuple[State, tuple[Extension, ...]]:
    """Return what to remember, and the extensions: up to ``patience`` s from a spell's begin.

    A heartbeat is late when it is older than ``late_after`` s. Who is not among the suspects,
    runs again or is heard of again is forgotten.
    """
    spells: dict[str, Spell] = {}
    samples: dict[str, Sample] = {}
    extensions: list[Extension] = []
    for suspect in suspects:
        name = suspect.incarnation
        before = state.samples.get(name)
        sample = suspect.sample or before
        if sample is not None:
            samples[name] = sample
        spell = _spell(suspect, state.spells.get(name), before, now, late_after)
        if spell is None:
            continue
        spells[name] = spell
        if now < spell.since + patience:
            extensions.append(Extension(name, spell.since + patience, spell.why))
    return State(spells, samples), tuple(extensions)


def _spell(
    suspect: Suspect, known: Spell | None, before: Sample | None, now: float, late_after: float
) -> Spell | None:
    if suspect.paused:
        since = _paused_since(suspect, known, now)
        return Spell("paused", min(since, now))
    if now - suspect.heartbeat_at <= late_after:
        return None
    if known and known.why == "throttled" and suspect.heartbeat_at <= known.since:
        # Without news, or while it hardly runs at all, the same spell goes on.
        is_on = suspect.sample is None or not _ran_freely(before, suspect.sample)
        return known if is_on else None
    if suspect.sample is not None and _is_throttled(before, suspect.sample):
        return Spell("throttled", now)
    return None


def _paused_since(suspect: Suspect, known: Spell | None, now: float) -> float:
    if suspect.paused_since is not None:
        return suspect.paused_since
    if known is None or known.why != "paused":
        return now
    # It was heard of since: between two looks it ran, and was paused anew.
    return max(known.since, suspect.heartbeat_at)


def _share(before: Sample | None, after: Sample) -> float | None:
    """Return the share of throttled periods between two samples; None when that says nothing."""
    if before is None:
        return None
    periods = after.periods - before.periods
    # Fewer than before: the container was restarted in between.
    return (after.throttled_periods - before.throttled_periods) / periods if periods > 0 else None


def _is_throttled(before: Sample | None, after: Sample) -> bool:
    share = _share(before, after)
    return share is not None and share >= THROTTLED


def _ran_freely(before: Sample | None, after: Sample) -> bool:
    share = _share(before, after)
    return share is not None and share < THROTTLED
