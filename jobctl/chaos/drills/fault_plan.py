"""Which faults a drill makes, and when: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from jobctl.chaos.catalogue import CATALOGUE
from jobctl.chaos.drills.drill_file import Drill, Planned, Random
from jobctl.chaos.fault import Allowed, Fault, Param

# Between two faults at random, so that each is over before the next is made.
_BETWEEN = 1.0


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
        kind = dice.choice(settings.kinds)
        entry = CATALOGUE[kind]
        seconds = None
        if entry.seconds is not None:
            seconds = round(dice.uniform(settings.shortest, settings.longest), 1)
        params: dict[str, Param] = {
            one.name: dice.choice(one.choices) for one in entry.settings if one.choices
        }
        yield DueFault(at, Fault(kind, None, seconds, params), dice, drawn=True)
        at += max(settings.every * dice.uniform(0.5, 1.5), (seconds or 0.0) + _BETWEEN)
        number += 1


def _dice(seed: int, what: str) -> random.Random:
    # Not a secret: the same seed must give the same faults.
    return random.Random(f"{seed} {what}")  # noqa: S311
