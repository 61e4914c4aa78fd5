"""Which faults a drill makes, and when: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobctl.chaos.catalogue import CATALOGUE, Entry
from jobctl.chaos.drills.drill_file import Drill, Planned, Random
from jobctl.chaos.fault import Allowed, Fault, FaultKind, Param

# Between two faults at random, so that each is over before the next is made.
_BETWEEN = 1.0
_LASTS = 0.5


@dataclass(frozen=True)
class DueFault:
    """A fault and when it is made: seconds from the begin of the load on.

    ``dice`` choose its target, if it names none. One that was ``drawn`` at random and is refused
    is left out; one of the timeline is what the drill is about.
    """

    at: float
    fault: Fault
    dice: random.Random
    drawn: bool


def planned_faults(drill: Drill, seed: int) -> list[DueFault]:
    """Return all faults of a drill, by time."""
    due = [
        DueFault(one.at, _fault(one), _dice(seed, f"planned {index}"), drawn=False)
        for index, one in enumerate(drill.faults)
    ]
    if drill.random is not None:
        due += _drawn(drill.random, drill.lasts, seed)
    return sorted(due, key=lambda one: one.at)


def allowed_by(drill: Drill) -> Allowed:
    """Return the blast radius that a drill allows."""
    own = drill.allow
    return Allowed(kinds=None, at_once=own.at_once, share=own.share, seconds=own.lasts)


def _fault(planned: Planned) -> Fault:
    return Fault(planned.fault, planned.target, planned.lasts, planned.settings)


def _drawn(settings: Random, until: float, seed: int) -> Iterator[DueFault]:
    at, number = settings.first, 0
    while at < until:
        # Dice of its own for each: whatever becomes of one changes none of the others.
        dice = _dice(seed, f"drawn {number}")
        fault = _drawn_fault(_kind(settings.kinds, seed, number), settings, dice)
        yield DueFault(at, fault, dice, drawn=True)
        at += max(settings.every * dice.uniform(0.5, 1.5), (fault.seconds or 0.0) + _BETWEEN)
        number += 1


def _kind(kinds: Sequence[FaultKind], seed: int, number: int) -> FaultKind:
    """Return a kind so that each comes once before any comes again: no long drill misses one."""
    turn, place = divmod(number, len(kinds))
    return _dice(seed, f"turn {turn}").sample(kinds, len(kinds))[place]


def _drawn_fault(kind: FaultKind, settings: Random, dice: random.Random) -> Fault:
    entry = CATALOGUE[kind]
    seconds = None
    # What is over at once by default, but can last, does so every other time.
    if entry.seconds is not None or (entry.lasts and dice.random() < _LASTS):
        seconds = round(dice.uniform(settings.shortest, settings.longest), 1)
    target = _drawn_target(entry, seconds, dice)
    params: dict[str, Param] = {}
    for one in entry.settings:
        if one.choices:
            # Nobody can be cut off from himself; Redis asks nobody, so it is cut off from all.
            itself = (target or "").removesuffix("-1")
            fit = one.choices[:1] if itself == "redis" else one.choices
            params[one.name] = dice.choice([each for each in fit if each != itself])
        elif one.span is not None:
            params[one.name] = round(dice.uniform(*one.span), 2)
    return Fault(kind, target, seconds, params)


def _drawn_target(entry: Entry, seconds: float | None, dice: random.Random) -> str | None:
    """Return to what a fault is done; None for any worker, and where there is but one choice."""
    parts = [part for part in entry.parts if part != "service"]
    if len(parts) > 1 and seconds is None:
        # Nobody but who made the fault would bring back the only controller.
        parts = [part for part in parts if part != "controller"]
    part = dice.choice(parts) if len(parts) > 1 else "worker"
    return None if part == "worker" else f"{part}-1"


def _dice(seed: int, what: str) -> random.Random:
    # Not a secret: the same seed must give the same faults.
    return random.Random(f"{seed} {what}")  # noqa: S311
