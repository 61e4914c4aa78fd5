"""The story of each job: its moves put in a row, and whether the row is whole. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jobctl.chaos.drills.history import HELD, TERMINAL, History, Listed, Mark, Moved
from jobctl.queue.status import TRANSITIONS

# How far clocks may be apart, in seconds.
_SLACK = 0.5

_ALLOWED = frozenset((edge.was, edge.to) for edge in TRANSITIONS)


@dataclass
class Story:
    """One acknowledged job: all that is known of it, oldest first.

    ``gaps`` say which moves must be missing, ``twice`` what cannot be explained by missing ones:
    a second end in a run. ``impossible`` are moves that the table of transitions does not have.
    """

    job: str
    work: str
    at: float
    moves: list[Moved] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    listed: Listed | None = None
    gaps: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)

    @property
    def last(self) -> Moved | None:
        """The latest move; None when none was ever seen."""
        return self.moves[-1] if self.moves else None

    @property
    def ended(self) -> Moved | None:
        """The move that ended the latest run; None when that goes on."""
        return self.last if self.last and self.last.status in TERMINAL else None

    def runs(self) -> Iterator[list[Moved]]:
        """Yield the moves of each run; a retry opens the next."""
        run: list[Moved] = []
        for move in self.moves:
            if move.was in TERMINAL and move.status not in TERMINAL:
                yield run
                run = []
            run.append(move)
        yield run

    def marked(self, what: str) -> dict[int, float]:
        """When each attempt left this mark for the first time, by attempt."""
        found: dict[int, float] = {}
        for mark in self.marks:
            if mark.what == what:
                found.setdefault(mark.attempt, mark.at)
        return found

    def claims(self) -> list[Moved]:
        """The moves that handed the job to a worker."""
        return [move for move in self.moves if move.was not in HELD and move.status in HELD]


def stories(history: History) -> dict[str, Story]:
    """Return the story of every acknowledged job, by id."""
    found: dict[str, Story] = {}
    for one in history.acknowledged:
        found.setdefault(one.job, Story(one.job, one.work, one.at))
    for move in history.moves:
        if move.job in found:
            found[move.job].moves.append(move)
    marks: defaultdict[str, list[Mark]] = defaultdict(list)
    for mark in history.marks:
        marks[mark.job].append(mark)
    for job, story in found.items():
        story.marks = sorted(marks[job], key=lambda mark: mark.at)
        story.listed = history.listing.get(job)
        _hold_together(story, history.ended)
    return found


def _hold_together(story: Story, listed_at: float) -> None:
    """Find what is missing in a story, and what must not be in it."""
    before: Moved | None = None
    for move in story.moves:
        if (move.was, move.status) not in _ALLOWED:
            story.impossible.append(f"{move.was} to {move.status} is no transition of a job")
        _join(story, before, move)
        before = move
    _compare_with_listing(story, listed_at)
    _compare_with_marks(story)


def _join(story: Story, before: Moved | None, move: Moved) -> None:
    if before is None:
        if move.was is not None:
            story.gaps.append(f"it was {move.was} before anything was recorded of it")
        return
    over = before.status in TERMINAL
    if over and move.status in TERMINAL and (move.was in TERMINAL or _same_run(before, move)):
        story.twice.append(
            f"{before.status} (attempt {before.attempt}), and then {move.status} "
            f"(attempt {move.attempt}) in the same run"
        )
        return
    claimed = move.was not in HELD and move.status in HELD
    wanted = before.attempt + 1 if claimed else before.attempt
    if move.was != before.status:
        story.gaps.append(f"it was {before.status}, and the next event says it was {move.was}")
    elif move.attempt != wanted:
        story.gaps.append(f"attempt {wanted} was due, and the next event is of {move.attempt}")


def _same_run(before: Moved, move: Moved) -> bool:
    """Whether no missing event can explain the second end.

    A retry could be missing; but then whoever held the job did so under a later attempt.
    """
    return move.was in HELD and move.attempt <= before.attempt


def _compare_with_listing(story: Story, listed_at: float) -> None:
    last, listed = story.last, story.listed
    if listed is None:
        return
    if last is None:
        story.gaps.append("the cluster knows it, and nothing was recorded of it")
    elif listed.status != last.status or listed.attempt != last.attempt:
        if listed.status not in TERMINAL and (
            # Of a plain function that is claimed, the hash may still say queued.
            last.status not in TERMINAL
            # It ended while the listing was made.
            or last.at > listed_at - _SLACK
        ):
            return
        story.gaps.append(
            f"the last event says {last.status} (attempt {last.attempt}), and the cluster "
            f"{listed.status} (attempt {listed.attempt})"
        )
    elif listed.status == "succeeded" and listed.accepted not in (None, last.attempt):
        story.twice.append(
            f"attempt {last.attempt} succeeded by the events, and attempt {listed.accepted} was "
            "accepted by the listing"
        )


def _compare_with_marks(story: Story) -> None:
    known = {move.attempt for move in story.claims()}
    strange = sorted({mark.attempt for mark in story.marks} - known)
    if strange:
        story.gaps.append(f"attempt {strange[0]} left marks, and no event tells of its claim")


def told(story: Story, began: float, extra: Sequence[tuple[float, str]] = ()) -> list[str]:
    """Tell a story, one line for each thing that happened, with the seconds since ``began``."""
    lines = [(story.at, f"acknowledged ({story.work})")]
    for move in story.moves:
        by = f" by {move.worker}" if move.worker else ""
        why = f", {move.cause}" if move.cause else ""
        lines.append((move.at, f"{move.status}{by} (attempt {move.attempt}{why})"))
    for mark in story.marks:
        words = {"begin": "began its work", "end": "ended its work"}
        lines.append((mark.at, f"attempt {mark.attempt} {words[mark.what]}"))
    lines += extra
    lines.sort(key=lambda line: line[0])
    if story.listed is None:
        lines.append((float("inf"), "the cluster does not know it any more"))
    return [f"{_since(at, began)} {text}" for at, text in lines]


def _since(at: float, began: float) -> str:
    return "at the end" if at == float("inf") else f"{at - began:+.3f} s"
