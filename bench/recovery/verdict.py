"""From kills and what the jobs wrote to the figures. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.recovery.log import Execution


@dataclass(frozen=True)
class Kill:
    """SIGKILL of a worker: just before the engine was asked, and when it said that it was done."""

    worker: str
    asked: float
    done: float


@dataclass(frozen=True)
class Verdict:
    """What became of the jobs of a run.

    ``samples`` are seconds from each kill to the second start of each job that ran there, inf
    for one that never started again. ``lost`` jobs never ran to their end, ``ended_twice`` did so
    more than once, and ``needless`` counts starts that no kill explains.
    """

    samples: tuple[float, ...]
    lost: int
    ended_twice: int
    needless: int


def judge(
    kills: Sequence[Kill], executions: Mapping[int, Sequence[Execution]], sent: int
) -> Verdict:
    """Hold what was written against what was sent and killed."""
    samples, needless, ended_twice, completed = [], 0, 0, 0
    for some in executions.values():
        ordered = sorted(some, key=lambda one: one.began)
        for at, one in enumerate(ordered):
            after = ordered[at + 1].began if at + 1 < len(ordered) else math.inf
            kill = killed_by(one, kills)
            if kill is not None:
                samples.append(after - kill.asked)
            elif after < math.inf and not _cut_short(one, kills):
                needless += 1
        ends = sum(one.ended is not None for one in ordered)
        completed += ends > 0
        ended_twice += ends > 1
    return Verdict(tuple(samples), sent - completed, ended_twice, needless)


def killed_by(one: Execution, kills: Sequence[Kill]) -> Kill | None:
    """Return the kill that ended an execution, if one did."""
    if one.ended is not None:
        return None
    return _next_kill(one, kills)


def _cut_short(one: Execution, kills: Sequence[Kill]) -> bool:
    """Whether its worker died before anybody could be told that the job had ended."""
    kill = _next_kill(one, kills)
    return kill is not None and one.ended is not None and kill.asked - one.ended < _UNTOLD


_UNTOLD = 0.1


def _next_kill(one: Execution, kills: Sequence[Kill]) -> Kill | None:
    later = [k for k in kills if k.worker == one.worker and k.done >= one.began]
    return min(later, key=lambda kill: kill.done, default=None)
