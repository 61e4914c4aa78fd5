"""What jobs left outside a queue, written as the history that the checker reads. Pure.

A rival has no stream of events. What it did is told by what its jobs did: the begin of a job's
work is a claim; a second begin says that the job was taken from whoever had it; and the job has
ended with the last of its executions that came to an end, as a queue that hands a job out again
cannot have accepted its end before. What cannot be told so is left out, and shown as unknown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.drills.effects import Execution
from jobctl.chaos.drills.history import Acknowledged, FaultSeen, History, Listed, Mark, Moved


@dataclass(frozen=True)
class Seen:
    """One drill of one contestant.

    ``ended`` is when nobody waited any longer. ``held`` are the jobs that the rival's Redis still
    knew then; ``accepted`` is how often it said itself that it accepted the end of each job, None
    where it does not say.
    """

    began: float
    ended: float
    fault: FaultSeen
    acknowledged: tuple[Acknowledged, ...]
    executions: tuple[Execution, ...]
    held: Collection[str] = ()
    accepted: Mapping[str, int] | None = None


@dataclass
class _Row:
    """A move that has no place among all the others yet."""

    at: float
    was: str | None
    status: str
    attempt: int
    worker: str = ""
    cause: str | None = None


@dataclass
class _Told:
    """What the effects of one job say."""

    rows: list[_Row] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    listed: Listed | None = None


def history(seen: Seen) -> History:
    """Return a drill as the checker reads it."""
    ran: defaultdict[str, list[Execution]] = defaultdict(list)
    for one in seen.executions:
        ran[one.job].append(one)
    told = {
        one.job: _tell(one, ran[one.job], one.job in seen.held, _accepted(seen, one.job))
        for one in seen.acknowledged
    }
    return History(
        began=seen.began,
        ended=seen.ended,
        acknowledged=seen.acknowledged,
        moves=tuple(_placed(told)),
        marks=tuple(mark for one in told.values() for mark in one.marks),
        listing={job: one.listed for job, one in told.items()},
        faults=(seen.fault,),
        sent=len(seen.acknowledged),
    )


def _accepted(seen: Seen, job: str) -> int:
    return 1 if seen.accepted is None else seen.accepted.get(job, 1)


def _tell(submit: Acknowledged, ran: Iterable[Execution], held: bool, accepted: int) -> _Told:
    executions = _of_its_fate(ran)
    told = _Told(rows=[_Row(submit.sent, None, "queued", 0)])
    for number, one in enumerate(executions, start=1):
        told.marks.append(Mark(one.began, submit.job, number, "begin"))
        if one.ended is not None:
            told.marks.append(Mark(one.ended, submit.job, number, "end"))
        if number > 1:
            before = executions[number - 2].worker
            told.rows.append(
                _Row(one.began, "running", "queued", number - 1, before, "worker-lost")
            )
        told.rows.append(_Row(one.began, "queued", "claimed", number, one.worker))
        told.rows.append(_Row(one.began, "claimed", "running", number, one.worker))
    last = executions[-1] if executions else None
    if last is not None and last.ended is not None:
        ending = _Row(last.ended, "running", "succeeded", len(executions), last.worker)
        told.rows += [ending] * max(1, accepted)
        told.listed = Listed("succeeded", len(executions))
    elif held:
        told.listed = Listed("running" if executions else "queued", len(executions))
    return told


def _of_its_fate(ran: Iterable[Execution]) -> Sequence[Execution]:
    """Return a job's executions by when they began, without those that its fate does not hang on.

    What began after the last one that came to an end, and came to none itself, was not needed.
    """
    ordered = sorted(ran, key=lambda one: one.began)
    ends = [place for place, one in enumerate(ordered) if one.ended is not None]
    return ordered[: ends[-1] + 1] if ends else ordered


def _placed(told: Mapping[str, _Told]) -> Iterator[Moved]:
    """Yield the moves of all jobs in one row, as a stream of events would have them."""
    rows = []
    for job, one in told.items():
        at = 0.0
        for row in one.rows:
            # Clocks that only show milliseconds may put a begin before its submit.
            at = max(at, row.at)
            rows.append((at, job, row))
    rows.sort(key=lambda entry: entry[0])
    for number, (at, job, row) in enumerate(rows):
        event = f"{int(at * 1000)}-{number}"
        yield Moved(event, at, job, row.was, row.status, row.attempt, row.worker, row.cause)
