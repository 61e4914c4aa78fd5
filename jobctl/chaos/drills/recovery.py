"""How long the cluster took to notice, to hand on, and to be steady again. Pure.

Steady is what the drill's hypothesis says: nobody waits long, few wait, and nobody's job is on a
worker that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from jobctl.chaos.drills.history import HELD, FaultSeen, History, Terms
from jobctl.chaos.drills.stories import Story, stories

_LOSSES = frozenset({"worker-lost", "node-lost", "chaos", "watchdog", "oom"})
# For how long it has to hold before it counts as steady again.
_HOLD = 2.0

Span = tuple[float, float]


@dataclass(frozen=True)
class Recovery:
    """What one fault did. Durations in seconds; None where nothing had to be noticed.

    ``held`` are the jobs that the victim had, ``lost`` those that were taken from it.
    ``detected`` is until the first of them was, ``redispatched`` until the last of them was
    claimed again, ``steady`` from the fault's end until the steady state held again.
    """

    fault: FaultSeen
    held: tuple[str, ...]
    lost: tuple[str, ...]
    detected: float | None
    redispatched: float | None
    steady: float


@dataclass(frozen=True)
class Recoveries:
    """``late`` are the times beyond the bound in which the cluster was not steady.

    ``steady_before`` is False when it was not steady when the first fault came: then the drill
    showed nothing.
    """

    each: tuple[Recovery, ...]
    late: tuple[str, ...]
    steady_before: bool
    unsteady: tuple[Span, ...]


def recoveries(history: History, terms: Terms) -> Recoveries:
    """Measure every fault of a drill."""
    told = stories(history)
    made = [fault for fault in history.faults if not fault.problem]
    taken = {index: list(_taken(fault, told)) for index, fault in enumerate(made)}
    unsteady = merged(
        [
            *_waits(history, told, terms),
            *backlogs(told.values(), terms.backlog, history.ended),
            *(
                (made[index].began, again or history.ended)
                for index, found in taken.items()
                for _, lost, again in found
                if lost is not None
            ),
        ]
    )
    first = min((fault.began for fault in made), default=None)
    return Recoveries(
        each=tuple(
            _measured(fault, taken[index], unsteady, history) for index, fault in enumerate(made)
        ),
        late=tuple(_late(made, unsteady, history, terms)),
        steady_before=first is None
        or not any(a <= first < b for a, b in _without_taken(history, told, terms)),
        unsteady=tuple(unsteady),
    )


def _without_taken(history: History, told: Mapping[str, Story], terms: Terms) -> list[Span]:
    """When it was not steady, but for what the faults took: that begins with them."""
    waits = _waits(history, told, terms)
    return merged([*waits, *backlogs(told.values(), terms.backlog, history.ended)])


def _taken(
    fault: FaultSeen, told: Mapping[str, Story]
) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield the jobs that the victim held: id, when it was taken away, when claimed again."""
    for story in told.values():
        before = [move for move in story.moves if move.at <= fault.began]
        if not before or before[-1].status not in HELD or before[-1].worker != fault.instance:
            continue
        lost: float | None = None
        again: float | None = None
        for move in story.moves[len(before) :]:
            if lost is None and move.was in HELD and move.status not in HELD:
                if move.cause not in _LOSSES:
                    break
                lost = move.at
            elif lost is not None and move.status in HELD:
                again = move.at
                break
        yield story.job, lost, again


def _measured(
    fault: FaultSeen,
    taken: list[tuple[str, float | None, float | None]],
    unsteady: list[Span],
    history: History,
) -> Recovery:
    lost = [at for _, at, _ in taken if at is not None]
    again = [at for _, was, at in taken if was is not None and at is not None]
    return Recovery(
        fault=fault,
        held=tuple(job for job, _, _ in taken),
        lost=tuple(job for job, at, _ in taken if at is not None),
        detected=min(lost) - fault.began if lost else None,
        redispatched=max(again) - fault.began if again and len(again) == len(lost) else None,
        steady=_settled(fault.ended, unsteady, history.ended) - fault.ended,
    )


def _settled(since: float, unsteady: list[Span], end: float) -> float:
    """The first instant from which it was steady for a while."""
    at = since
    for began, over in unsteady:
        if over > at and began < at + _HOLD:
            at = over
    return min(at, max(end, since))


def _late(
    made: list[FaultSeen], unsteady: list[Span], history: History, terms: Terms
) -> Iterator[str]:
    for began, over in unsteady:
        before = [fault.ended for fault in made if fault.began <= over]
        if not before:
            continue
        allowed = max(before) + terms.bound
        if over > allowed:
            yield (
                f"not steady from {began - history.began:.1f} s to {over - history.began:.1f} s, "
                f"{over - max(before):.1f} s after the last fault was over; "
                f"{terms.bound:g} s are allowed"
            )


def _waits(history: History, told: Mapping[str, Story], terms: Terms) -> list[Span]:
    """When somebody waited for longer than the hypothesis allows: for a worker, or an answer."""
    most = terms.start_within
    spans = [(one.sent + most, one.at) for one in history.acknowledged if one.at > one.sent + most]
    for since, until in queued(told.values(), history.ended):
        if until > since + most:
            spans.append((since + most, until))
    return spans


def queued(told: Iterable[Story], end: float) -> Iterator[Span]:
    """Yield each time that a job stood in a queue."""
    for story in told:
        for index, move in enumerate(story.moves):
            if move.status == "queued":
                after = story.moves[index + 1 : index + 2]
                yield move.at, after[0].at if after else end


def backlogs(told: Iterable[Story], most: int, end: float) -> Iterator[Span]:
    """Yield the times in which more than ``most`` jobs stood in queues."""
    steps = sorted(step for since, until in queued(told, end) for step in ((since, 1), (until, -1)))
    level, above = 0, None
    for at, by in steps:
        level += by
        if level > most and above is None:
            above = at
        elif level <= most and above is not None:
            if at > above:
                yield above, at
            above = None


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in their order, those that touch as one."""
    whole: list[Span] = []
    for began, over in sorted(spans):
        if whole and began <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(over, whole[-1][1]))
        else:
            whole.append((began, over))
    return whole
