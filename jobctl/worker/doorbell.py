"""Waiting for work without asking again and again: one thread, blocked in Redis."""

from __future__ import annotations

from jobctl.queue import QueueError

from .exchange import Exchange
from .pauses import pauses
from .workqueue import WorkQueue

# The longest wait for a wake-up. Not a polling interval: a token comes with every job.
_WAIT = 5.0


class Doorbell:
    """Takes a token when free slots found nothing; then claims in the same thread."""

    def __init__(self, queue: WorkQueue, queues: tuple[str, ...], exchange: Exchange) -> None:
        self._queue = queue
        self._queues = queues
        self._exchange = exchange

    def run(self) -> None:
        """Waits until the exchange is closed."""
        waits = pauses()
        while self._exchange.wait_for_need():
            try:
                woken = self._queue.wait_work(self._queues, _WAIT)
                waits = pauses()
            except QueueError:
                self._exchange.wait_until_closed(next(waits))
                woken = True  # a token may have been lost with the connection
            if woken:
                self._exchange.woken()
