"""The checker: what became of every job that the cluster said yes to. Pure.

It trusts neither the queue nor the workers: acknowledged submits, recorded events and the marks
that jobs left outside Redis have to agree with each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from jobctl.chaos.drills.history import HELD, TERMINAL, History, Moved, Refused, Terms
from jobctl.chaos.drills.stories import Story, stories, told
from jobctl.queue.status import FAILURES, Cause

# For how long the answer to a write may be on its way, in seconds.
_ON_ITS_WAY = 2.0

DefectKind = Literal[
    "lost", "accepted-twice", "unexpected", "cut-short", "stuck", "unfinished", "impossible"
]

MEANINGS: dict[DefectKind, str] = {
    "lost": "acknowledged, never ended, and the cluster knows nothing of it",
    "accepted-twice": "two ends were accepted within one run",
    "unexpected": "it ended in a way that the drill does not expect",
    "cut-short": "it succeeded, but the work of the accepted attempt had not ended",
    "stuck": "it has not ended, and did not move for longer than the recovery bound",
    "unfinished": "it has not ended within the recovery bound, but still moves",
    "impossible": "it took a way that the table of transitions does not have",
}


@dataclass(frozen=True)
class Defect:
    """One job with which something is wrong; ``story`` is all that is known of it."""

    kind: DefectKind
    job: str
    text: str
    story: tuple[str, ...]


@dataclass(frozen=True)
class RunTwice:
    """A job whose work was begun by several attempts of one run: allowed, and counted.

    ``ended`` is how many of them did all of it.
    """

    job: str
    attempts: tuple[int, ...]
    ended: int


@dataclass(frozen=True)
class Findings:
    """All that the checker found. With ``gaps`` nothing is proven."""

    acknowledged: int
    ended: dict[str, int]
    gaps: tuple[str, ...]
    defects: tuple[Defect, ...]
    run_twice: tuple[RunTwice, ...]
    fenced: int


def check(history: History, terms: Terms) -> Findings:
    """Hold a history against what a drill promises."""
    gaps = [*history.breaks, *_out_of_order(history)]
    defects: list[Defect] = []
    twice: list[RunTwice] = []
    ended: dict[str, int] = {}
    told_of = stories(history)
    for story in told_of.values():
        gaps += (f"{story.job}: {gap}" for gap in story.gaps)
        for kind, text in _wrong(story, history, terms):
            lines = told(story, history.began, _faults_meanwhile(story, history))
            defects.append(Defect(kind, story.job, text, tuple(lines)))
        twice += _run_twice(story)
        if story.ended:
            ended[story.ended.status] = ended.get(story.ended.status, 0) + 1
    return Findings(
        acknowledged=len({one.job for one in history.acknowledged}),
        ended=ended,
        gaps=tuple(gaps),
        defects=tuple(defects),
        run_twice=tuple(twice),
        fenced=sum(not _met_its_own_end(one, told_of.get(one.job)) for one in history.refused),
    )


def position(event: str) -> tuple[int, int]:
    """Return a stream id (``ms-sequence``) as numbers that sort."""
    moment, _, number = event.partition("-")
    return int(moment), int(number or 0)


def _out_of_order(history: History) -> Iterator[str]:
    latest = (0, 0)
    for move in history.moves:
        here = position(move.event)
        if here < latest:
            yield f"event {move.event} was recorded after a later one"
            return
        latest = here


def _wrong(story: Story, history: History, terms: Terms) -> Iterator[tuple[DefectKind, str]]:
    for text in story.impossible:
        yield "impossible", text
    for text in story.twice:
        yield "accepted-twice", text
    yield from _failed_otherwise(story, terms)
    if story.ended is None:
        yield from _not_ended(story, history, terms)
        return
    expected = terms.expected[story.work]
    if story.ended.status not in expected:
        cause = f" ({story.ended.cause})" if story.ended.cause else ""
        wanted = " or ".join(sorted(expected))
        yield "unexpected", f"{story.ended.status}{cause} instead of {wanted}"
    yield from _cut_short(story, history, terms)


def _failed_otherwise(story: Story, terms: Terms) -> Iterator[tuple[DefectKind, str]]:
    """Attempts that failed of what they must not fail of, whatever became of the job."""
    allowed = terms.retried_for.get(story.work)
    if allowed is None:
        return
    for move in story.moves:
        if _failed(move) and move.cause not in allowed:
            wanted = " or ".join(sorted(allowed))
            yield "unexpected", f"attempt {move.attempt} failed ({move.cause}), not of {wanted}"


def _failed(move: Moved) -> bool:
    """Whether this ended an attempt that failed by itself, and was accepted as that."""
    return (
        move.was in HELD
        and move.status in ("scheduled", "queued", "failed")
        and (move.cause in FAILURES)
    )


def _not_ended(story: Story, history: History, terms: Terms) -> Iterator[tuple[DefectKind, str]]:
    if story.listed is None:
        where = f"last seen {story.last.status}" if story.last else "no event ever told of it"
        yield "lost", f"acknowledged, and now unknown; {where}"
        return
    if story.listed.status in TERMINAL:
        return  # its end is missing among the events: that is a gap
    since = story.last.at if story.last else story.at
    still = history.ended - since
    status = story.last.status if story.last else story.listed.status
    if still > terms.bound:
        yield "stuck", f"{status} for {still:.1f} s, longer than {terms.bound:g} s"
    else:
        yield "unfinished", f"{status}, and the drill's time is over"


def _cut_short(story: Story, history: History, terms: Terms) -> Iterator[tuple[DefectKind, str]]:
    begun, done = story.marked("begin"), story.marked("end")
    for run in story.runs():
        for move in run:
            if move.status != "succeeded":
                continue
            if move.attempt not in done:
                if move.attempt not in begun:
                    text = f"attempt {move.attempt} succeeded without ever having begun"
                else:
                    text = f"attempt {move.attempt} succeeded without having ended its work"
                yield "cut-short", text
            elif done[move.attempt] > move.at + terms.slack and _clock_is_right(
                move.worker, history
            ):
                late = done[move.attempt] - move.at
                text = f"attempt {move.attempt} ended its work {late:.1f} s after it had succeeded"
                yield "cut-short", text


def _clock_is_right(worker: str, history: History) -> bool:
    return not any(f.kind == "wrong-clock" and f.instance == worker for f in history.faults)


def _run_twice(story: Story) -> Iterator[RunTwice]:
    """Jobs of which a later attempt began what an earlier one may have done.

    One that failed by itself was over: what a retry of its own does is no work done twice.
    """
    begun, done = story.marked("begin"), story.marked("end")
    for run in story.runs():
        over = {move.attempt for move in run if _failed(move) and move.cause != Cause.OOM}
        # The move that opens a run still carries the attempt of the run before.
        held = sorted({m.attempt for m in run if m.status in HELD and m.attempt in begun} - over)
        if len(held) > 1:
            yield RunTwice(story.job, tuple(held), sum(number in done for number in held))


def _met_its_own_end(refused: Refused, story: Story | None) -> bool:
    """Whether a renewal was refused because the end of the same attempt had just been accepted.

    The two are on their way at the same time: nobody else had the job.
    """
    before = [move for move in story.moves if move.at <= refused.at] if story else []
    if not before:
        return False
    last = before[-1]
    own = last.worker == refused.worker and refused.at - last.at < _ON_ITS_WAY
    return own and last.was in HELD and (last.status == "succeeded" or _failed(last))


def _faults_meanwhile(story: Story, history: History) -> list[tuple[float, str]]:
    latest = story.ended.at if story.ended else history.ended
    return [
        (fault.began, f"fault: {fault.kind} of {fault.instance}")
        for fault in history.faults
        if story.at <= fault.began <= latest and not fault.problem
    ]
