"""Jobs that were claimed and have not begun. Not safe for threads: the exchange's lock is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from . import prefetch
from .attempt import Attempt
from .lane import Ended, Result, unstarted


class Buffer:
    """In the order in which they were claimed."""

    def __init__(self) -> None:
        self._waiting: deque[Attempt] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, attempts: Iterable[Attempt]) -> None:
        """New ones, behind the others."""
        self._waiting.extend(attempts)

    def put_back(self, attempts: Sequence[Attempt]) -> None:
        """Those that a lane gave back go before the others, in their order."""
        self._waiting.extendleft(reversed(attempts))

    def take(self, free: int, slots: int, per_job: float | None) -> list[Attempt]:
        """The next batch for one of `free` of all slots: commands, or functions; [] if empty."""
        waiting = self._waiting
        if not waiting:
            return []
        batch = [waiting.popleft()]
        function = bool(batch[0].job.function)
        count = prefetch.share(len(waiting) + 1, free, per_job)
        if not function:
            count = min(count, prefetch.commands_at_once(len(waiting) + 1, slots))
        while len(batch) < count and bool(waiting[0].job.function) is function:
            batch.append(waiting.popleft())
        return batch

    def drop_ordered(self) -> list[Ended]:
        """Takes out those that were ordered to end; how each of them ended."""
        if not any(attempt.order for attempt in self._waiting):
            return []
        ordered = [attempt for attempt in self._waiting if attempt.order]
        self._waiting = deque(attempt for attempt in self._waiting if not attempt.order)
        return [(attempt, unstarted(attempt)) for attempt in ordered]

    def drop_all(self) -> list[Ended]:
        """Takes out all of them, to be handed back."""
        dropped: list[Ended] = [(attempt, unstarted(attempt)) for attempt in self._waiting]
        self._waiting.clear()
        return dropped

    def drop_overdue(
        self, now: float, busy_for: Sequence[float], per_job: float | None
    ) -> tuple[list[Ended], float]:
        """Takes out those that would wait too long; in how many seconds to look again."""
        waited = [now - attempt.since for attempt in self._waiting]
        late, again = prefetch.overdue(waited, busy_for, per_job)
        if not late:
            return [], again
        places = set(late)
        everyone = list(self._waiting)
        self._waiting = deque(a for place, a in enumerate(everyone) if place not in places)
        return [(everyone[place], Result(None)) for place in late], again
