"""What every contestant is given, to the second: the load and the two faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobctl.chaos.drills.history import Terms

RATE, TAKES, EVERY, LASTING = 30, 0.1, 30, 2.0
"""Jobs a second, seconds that one takes, and of how many one takes how long instead: five of twelve
places are busy, so that two workers can do it, too."""

PLACES = 4
BOUND = 180.0
"""How many seconds after the last submit nobody waits any longer."""

Kind = Literal["kill-worker", "pause-worker"]


@dataclass(frozen=True)
class Plan:
    """A drill: ``lasts`` seconds of load, and ``at`` such a second a fault of ``fault`` seconds."""

    kind: Kind
    at: float
    fault: float
    lasts: float


KILL = Plan("kill-worker", at=5.0, fault=0.0, lasts=12.0)
# Longer than what any of the tuned ones waits, and than a jobctl with defaults does (30 s).
PAUSE = Plan("pause-worker", at=5.0, fault=36.0, lasts=44.0)

TERMS = Terms(
    expected={"short": frozenset({"succeeded"}), "long": frozenset({"succeeded"})},
    bound=BOUND,
    start_within=1.0,
    backlog=RATE,
)
