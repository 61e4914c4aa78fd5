"""Waking one waiting thread, at the price of one lock."""

from __future__ import annotations

import threading
from contextlib import suppress

LONGEST = 86400.0
"""No wait is longer (s): what a job waits for may be thousands of years away, and neither locks
nor polls can count that far. Who waits looks again anyway."""


class Bell:
    """Rings once however often it is rung; a wait takes the ring."""

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def ring(self) -> None:
        """Ends the wait that there is, or the next one."""
        with suppress(RuntimeError):  # it rings already
            self._silence.release()

    def wait(self, seconds: float | None) -> None:
        """Blocks until it rings, at most so long (None: for ever)."""
        self._silence.acquire(timeout=-1 if seconds is None else min(max(0.0, seconds), LONGEST))
