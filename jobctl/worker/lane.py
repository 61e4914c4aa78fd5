"""What runs jobs in a slot, and what it tells of them: the seam between exchange and lanes.

A slot has two lanes: one for command jobs, one for Python functions (an executor process).
Only one of them works at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from jobctl.queue import Cause, Outcome

from .attempt import Activity, Attempt
from .cause import Stop
from .journal import Journal
from .reports import Report
from .settings import Settings


class Result(NamedTuple):
    """How an attempt ended in its lane.

    `outcome` None: it is not to be finished, because it was taken over or is handed back.
    `unstarted` (then without outcome): it never began and another slot may run it now.
    `started_at` in ms since 1970.
    """

    outcome: Outcome | None
    started_at: int | None = None
    unstarted: bool = False


UNSTARTED = Result(None, None, True)


def unstarted(attempt: Attempt) -> Result:
    """The end of an attempt that was ordered to end before it began."""
    if attempt.order is not None and attempt.order.why is Stop.CANCEL:
        return Result(Outcome(False, Cause.CANCELLED, reason="cancelled before it started"))
    return Result(None)


Ended = tuple[Attempt, Result]

Done = Callable[[Sequence[Ended]], None]
"""Takes ends as they are known: many at once cost little more than one. Never blocks."""


class Lane(Protocol):
    """Runs attempts in one slot. Only the slot's thread calls `run`, `warm` and `close`."""

    def warm(self) -> None:
        """Makes ready what the first job would wait for. Never raises; may do nothing."""

    def begin(self, batch: Sequence[Attempt], done: Done) -> None:
        """Does at once what can be done without waiting for `run`, which gets the same next.

        In another thread than the slot's, while that one waits for a batch. Never blocks, never
        raises; may do nothing.
        """

    def run(self, batch: Sequence[Attempt], done: Done) -> None:
        """Blocks until every attempt of the batch was `done`, each exactly once. Never raises.

        Whatever goes wrong ends in a result. Before an attempt begins, and while it runs, its
        `order` counts: cancelled before it began is an outcome (cause cancelled), handed back
        or taken over is Result(None). A lane that sees an attempt run 100 ms tells
        `listener.started`, and gives those behind it back as UNSTARTED.
        """

    def close(self) -> None:
        """Ends what `warm` made. The worker is about to end."""


class Listener(Protocol):
    """What a lane tells while an attempt runs. Safe from any thread; never blocks."""

    def started(self, attempt: Attempt) -> None:
        """It has run for 100 ms and still does."""

    def note(self, attempt: Attempt, report: Report) -> None:
        """It said something of itself."""


@dataclass(frozen=True)
class Shop:
    """What all lanes of a worker share."""

    settings: Settings
    listener: Listener
    journal: Journal
    activity: Activity


LaneMaker = Callable[[Shop, int], Lane]
"""Makes the lane of a slot (numbered from 0): the classes of lanes themselves."""
