"""Histories of drills that never took place: valid ones, to plant defects in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from jobctl.chaos.drills.history import (
    HELD,
    Acknowledged,
    FaultSeen,
    History,
    Listed,
    Mark,
    Moved,
    Terms,
)

TERMS = Terms(
    expected={"work": frozenset({"succeeded"}), "poison": frozenset({"failed"})},
    bound=60.0,
    start_within=30.0,
    backlog=1000,
)
WORKERS = ("worker-1", "worker-2", "worker-3")
BEGAN = 1_700_000_000.0

# How an attempt goes: it succeeds; its worker is lost before it began, while it worked, or when
# it had done all and could not say so; it fails and is tried again; it is handed back.
ATTEMPTS = ("lost-unbegun", "lost", "lost-ended", "failed", "handed-back")


@dataclass
class JobMaker:
    """Writes down the life of one job, step by step."""

    job: str
    work: str
    at: float
    moves: list[Moved] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    status: str | None = None
    attempt: int = 0

    def move(self, status: str, worker: str = "", cause: str | None = None) -> None:
        self.at += 0.05
        if self.status not in HELD and status in HELD:
            self.attempt += 1
        moved = Moved("", self.at, self.job, self.status, status, self.attempt, worker, cause)
        self.moves.append(moved)
        self.status = status

    def mark(self, what: str) -> None:
        self.at += 0.01
        assert what in ("begin", "end")
        self.marks.append(Mark(self.at, self.job, self.attempt, what))  # type: ignore[arg-type]

    def try_once(self, how: str, worker: str, told: bool) -> None:
        self.move("claimed", worker)
        if how != "lost-unbegun":
            self.mark("begin")
            if told:
                self.move("running", worker)
        if how in ("lost-ended", "succeeded"):
            self.mark("end")
        if how == "succeeded":
            self.move("succeeded", worker)
        elif how == "failed":
            self.move("scheduled", worker, "exit")
            self.move("queued")
        elif how == "failed-for-good":
            self.move("failed", worker, "exit")
        else:
            self.move("queued", worker, "scale-down" if how == "handed-back" else "worker-lost")


def _life(number: int, work: str, start: float, tries: Sequence[tuple[str, str, bool]]) -> JobMaker:
    job = JobMaker(f"{number:026d}", work, BEGAN + start)
    job.move("queued")
    for how, worker, told in tries:
        job.try_once(how, worker, told)
    job.try_once("succeeded" if work == "work" else "failed-for-good", WORKERS[number % 3], True)
    return job


_TRY = st.tuples(st.sampled_from(ATTEMPTS), st.sampled_from(WORKERS), st.booleans())
_LIFE = st.tuples(
    st.sampled_from(("work", "work", "work", "poison")),
    st.floats(0, 5),
    st.lists(_TRY, max_size=3),
)
lives = st.lists(_LIFE, min_size=1, max_size=6).map(
    lambda found: [_life(n, work, start, tries) for n, (work, start, tries) in enumerate(found)]
)


def history_of(jobs: Sequence[JobMaker]) -> History:
    """Return what a drill with these jobs leaves behind."""
    moves = sorted((move for job in jobs for move in job.moves), key=lambda move: move.at)
    marks = sorted((mark for job in jobs for mark in job.marks), key=lambda mark: mark.at)
    ended = max(move.at for move in moves) + 1
    return History(
        began=BEGAN,
        ended=ended,
        acknowledged=tuple(
            Acknowledged(job.moves[0].at + 0.001, job.job, job.work, job.moves[0].at - 0.001)
            for job in jobs
        ),
        moves=tuple(
            replace(move, event=f"{int(move.at * 1000)}-{10 * index}")
            for index, move in enumerate(moves)
        ),
        marks=tuple(marks),
        listing={job.job: Listed(job.moves[-1].status, job.attempt, job.attempt) for job in jobs},
        faults=(FaultSeen("kill-worker", "worker-1", BEGAN + 2, BEGAN + 2),),
        sent=len(jobs),
    )


histories = lives.map(history_of)


def without_moves(history: History, gone: Sequence[Moved]) -> History:
    """Return the history as if these moves had never been recorded."""
    return replace(history, moves=tuple(move for move in history.moves if move not in gone))
