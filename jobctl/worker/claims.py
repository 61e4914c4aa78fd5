"""Claiming jobs for free slots, woken by the queue instead of asking again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from jobctl.queue import QueueError, UnknownWorker

from .journal import Journal
from .pauses import pauses
from .slots import Slots
from .workqueue import WorkQueue

# The longest wait for a wake-up. Not a polling interval: a token comes with every job.
_WAIT = 5.0


def _misses() -> Iterator[float]:
    """Rests after a wake-up that brought nothing.

    Usually another worker was quicker. But a queue that refuses this worker (it drains, and
    does not know yet) wakes it again at once: that must not become a busy loop.
    """
    return pauses(first=0.002, longest=0.05)


class Claims:
    """One thread. Slots only get freer while it waits, as only it and an end give jobs."""

    def __init__(
        self,
        queue: WorkQueue,
        *,
        incarnation: str,
        queues: tuple[str, ...],
        slots: Slots,
        journal: Journal,
        on_unknown: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._incarnation = incarnation
        self._queues = queues
        self._slots = slots
        self._journal = journal
        self._on_unknown = on_unknown

    def run(self) -> None:
        """Claims until the slots are closed."""
        waits = pauses()
        misses = _misses()
        # Work may have been there before this worker: the first claim needs no wake-up.
        woken = True
        while self._slots.wait_for_room():
            try:
                if not woken:
                    woken = self._queue.wait_work(self._queues, _WAIT)
                    continue
                woken = False
                if self._claim():
                    misses = _misses()
                else:
                    self._slots.wait_until_closed(next(misses))
                waits = pauses()
            except QueueError as error:
                if isinstance(error, UnknownWorker):
                    self._on_unknown()
                woken = True  # a token may have been lost with the connection
                self._slots.wait_until_closed(next(waits))
        self._pass_on(woken)

    def _claim(self) -> int:
        """Fills the free slots; returns how many jobs that took."""
        # Even without room (n=0): it puts back the token for what is still queued.
        jobs = self._queue.claim(self._incarnation, self._slots.room(), self._queues)
        for job in jobs:
            self._slots.give(job)
        return len(jobs)

    def _pass_on(self, woken: bool) -> None:
        """A token taken while closing belongs to another worker."""
        if not woken:
            return
        try:
            self._queue.claim(self._incarnation, 0, self._queues)
        except QueueError as error:
            self._journal("wake-not-passed-on", reason=error)
