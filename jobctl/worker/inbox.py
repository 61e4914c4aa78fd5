"""What this worker is told while it works: cancel a job, drain, go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from jobctl.queue import Message, MessageKind, QueueError

from .attempt import Held
from .cause import Stop
from .journal import Journal
from .pauses import pauses
from .workqueue import WorkQueue

_WAIT = 5.0


class Drainable(Protocol):
    """Who decides what draining means for the running jobs."""

    def drain(self, grace: float | None) -> None:
        """Claim no more; hand back what runs after `grace` seconds (None: never)."""

    def undrain(self) -> None:
        """Claim again."""


class Inbox:
    """One thread that blocks on the worker's messages."""

    def __init__(
        self,
        queue: WorkQueue,
        *,
        incarnation: str,
        held: Held,
        worker: Drainable,
        orders_came: Callable[[], None],
        journal: Journal,
        closed: Callable[[], bool],
    ) -> None:
        self._queue = queue
        self._incarnation = incarnation
        self._held = held
        self._worker = worker
        self._orders_came = orders_came
        self._journal = journal
        self._closed = closed

    def run(self) -> None:
        """Reads until closed; daemon, as the last wait may outlast the worker."""
        waits = pauses()
        while not self._closed():
            try:
                message = self._queue.wait_message(self._incarnation, _WAIT)
            except QueueError:
                # A message lost with the connection is said again at a heartbeat.
                time.sleep(next(waits))
                continue
            waits = pauses()
            if message is not None:
                self._obey(message)

    def _obey(self, message: Message) -> None:
        if message.kind is MessageKind.CANCEL:
            self._cancel(message.id, message.attempt)
        elif message.kind is MessageKind.DRAIN:
            self._worker.drain(message.grace)
        else:
            self._worker.undrain()

    def _cancel(self, job_id: str, number: int) -> None:
        attempt = self._held.find(job_id, number)
        if attempt is not None:
            self._journal("cancel", job=job_id, attempt=number)
            attempt.end(Stop.CANCEL, attempt.job.grace)
            self._orders_came()
