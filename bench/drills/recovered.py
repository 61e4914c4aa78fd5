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


def recovery(seen: Seen) -> float:
    """Return the seconds from a fault's begin until nothing that it held up was left waiting.

    That is until the last of these jobs was in good hands: those that ran on the victim, and those
    that began late after it. 0 when the fault held up nobody, inf when one was never done.
    """
    ran: defaultdict[str, list[Execution]] = defaultdict(list)
    for one in seen.executions:
        ran[one.job].append(one)
    usual = max([LATE, *_waits_before(seen, ran)])
    latest = 0.0
    for submit in seen.acknowledged:
        safe = min((_in_good_hands(one, seen) for one in ran[submit.job]), default=math.inf)
        cut = any(_hit(one, seen) for one in ran[submit.job])
        if cut or safe > max(submit.sent, seen.fault.began) + usual:
            latest = max(latest, safe - seen.fault.began)
    return latest


def _waits_before(seen: Seen, ran: Mapping[str, Sequence[Execution]]) -> Iterator[float]:
    """Yield how long each job waited that began before the fault."""
    for submit in seen.acknowledged:
        began = min((one.began for one in ran[submit.job]), default=math.inf)
        if began < seen.fault.began:
            yield began - submit.sent


def _hit(one: Execution, seen: Seen) -> bool:
    """Whether it ran on the victim when the fault came: a kill ends it, a pause holds it up."""
    fault = seen.fault
    over = one.ended is None or one.ended > fault.ended
    return one.worker == fault.instance and one.began <= fault.ended and over


def _in_good_hands(one: Execution, seen: Seen) -> float:
    """From when on an execution was sure to end: its begin, if the fault did not hold it up."""
    if one.ended is None:
        return math.inf
    return one.ended if _hit(one, seen) else one.began
