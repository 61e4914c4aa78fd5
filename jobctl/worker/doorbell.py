"""Waiting for jobs without asking again and again: one thread, blocked in Redis."""

from __future__ import annotations

from jobctl.queue import QueueError

from .exchange import Exchange
from .pauses import pauses
from .workqueue import WorkQueue

# The longest wait. Not a polling interval: jobs are handed over as they come, or a token tells.
_WAIT = 5.0


class Doorbell:
    """Takes what is handed over when free slots found nothing, and hands it out itself."""

    def __init__(
        self, queue: WorkQueue, incarnation: str, own_queue: str, exchange: Exchange
    ) -> None:
        self._queue = queue
        self._incarnation = incarnation
        self._own = own_queue
        self._exchange = exchange

    def run(self) -> None:
        """Waits until the exchange is closed."""
        waits = pauses()
        while (need := self._exchange.wait_for_need()) is not None:
            room, queues = need
            try:
                claims = self._queue.wait_jobs(self._incarnation, room, (*queues, self._own), _WAIT)
            except QueueError:
                self._exchange.wait_until_closed(next(waits))
                self._exchange.woken()  # a token may have been lost with the connection
                continue
            if claims is not None:
                if claims.jobs:
                    self._exchange.handed(claims)
                else:
                    self._exchange.woken()
            waits = pauses()
