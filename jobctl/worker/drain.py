"""When this worker may claim, and until when its running jobs may run. No I/O."""

from __future__ import annotations

from collections.abc import Callable


class Drain:
    """Draining (may end again) and closing (may not), and the deadline that goes with them.

    Instants and durations are seconds of `clock`. Each field is written as a whole, so
    threads and signal handlers may share it without a lock.
    """

    def __init__(self, grace: float, clock: Callable[[], float]) -> None:
        self._grace = grace
        self._clock = clock
        self._deadline: float | None = None
        self._handed_back = False
        self.draining = False
        self.closing = False
        self.changes = 0
        """Counts messages, so that an older view can be told from a newer one."""

    def begin(self, grace: float | None) -> None:
        """Drains; a later message's deadline replaces that of an earlier one."""
        self.changes += 1
        self.draining = True
        self._handed_back = False
        if grace is not None:
            self._deadline = self._clock() + grace
        elif not self.closing:
            self._deadline = None

    def cancel(self) -> None:
        """Drains no more. A worker that closes keeps its deadline."""
        self.changes += 1
        self.draining = False
        if not self.closing:
            self._deadline = None

    def close(self) -> None:
        """Told to end: within the drain's deadline if there is one, else within the grace."""
        if self._deadline is None:
            self._deadline = self._clock() + self._grace
        self.closing = True

    def pause(self) -> float | None:
        """Seconds until something is due; None if nothing is."""
        if self._deadline is None:
            return None
        left = self._deadline - self._clock()
        if not self._handed_back:
            return max(0.0, left)
        # After the deadline, only the end of the last words is still to come.
        return 0.1 if self.closing else None

    def hand_back_due(self) -> bool:
        """True once, when the deadline has passed."""
        if self._deadline is None or self._handed_back or self._clock() < self._deadline:
            return False
        self._handed_back = True
        return True

    def out_of_time(self, last_words: float) -> bool:
        """Whether even the time for telling the queue is over."""
        return self._deadline is not None and self._clock() >= self._deadline + last_words
