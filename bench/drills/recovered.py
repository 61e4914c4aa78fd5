"""How long a fault held up anybody's work, from what the jobs wrote. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from bench.drills.adapt import Seen
from bench.drills.effects import Execution

LATE = 1.0
"""How many seconds after its submit a job may begin without counting as held up: there is room for
all at any time. On a machine that made some wait longer before the fault, as long as those."""

HOLD = 2.0
"""For how many seconds after a fault nothing is held up: what comes later is not its doing."""


def recovery(seen: Seen) -> float:
    """Return the seconds from a fault's begin until nothing was held up any more for a while.

    A job is held up until it is in good hands, if it ran on the victim or began late. 0 when the
    fault held up nobody, inf when a job was never done.
    """
    at = seen.fault.began
    for since, until in sorted(_held_up(seen)):
        if since <= max(at, seen.fault.ended) + HOLD or math.isinf(until):
            at = max(at, until)
    return at - seen.fault.began


def _held_up(seen: Seen) -> Iterator[tuple[float, float]]:
    """Yield for each job that was held up since when, from the fault on, and until when."""
    ran: defaultdict[str, list[Execution]] = defaultdict(list)
    for one in seen.executions:
        ran[one.job].append(one)
    usual = max([LATE, *_waits_before(seen, ran)])
    for submit in seen.acknowledged:
        since = max(submit.sent, seen.fault.began)
        safe = min((_in_good_hands(one, seen) for one in ran[submit.job]), default=math.inf)
        if any(_hit(one, seen) for one in ran[submit.job]) or safe > since + usual:
            yield since, safe


def _waits_before(seen: Seen, ran: Mapping[str, Sequence[Execution]]) -> Iterator[float]:
    """Yield how long each job waited that began before the fault."""
    for submit in seen.acknowledged:
        began = min((one.began for one in ran[submit.job]), default=math.inf)
        if began < seen.fault.began:
            yield began - submit.sent


def _hit(one: Execution, seen: Seen) -> bool:
    """Whether it ran on the victim when the fault came: a kill ends it, a pause holds it up.

    What is let go ends before whoever let it go is told so: hence not by the fault's own end.
    """
    fault = seen.fault
    over = one.ended is None or one.ended > (fault.began + fault.ended) / 2
    return one.worker == fault.instance and one.began <= fault.ended and over


def _in_good_hands(one: Execution, seen: Seen) -> float:
    """From when on an execution was sure to end: its begin, if the fault did not hold it up."""
    if one.ended is None:
        return math.inf
    return one.ended if _hit(one, seen) else one.began
