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
        journal: Journal,
        closed: Callable[[], bool],
    ) -> None:
        self._queue = queue
        self._incarnation = incarnation
        self._held = held
        self._worker = worker
        self._journal = journal
        self._closed = closed

    def run(self) -> None:
        """Reads until closed; daemon, as the last wait may outlast the worker."""
        waits = pauses()
        missed = False
        while not self._closed():
            try:
                if missed:
                    self._catch_up()
                    missed = False
                message = self._queue.wait_message(self._incarnation, _WAIT)
            except QueueError:
                # A message may have been lost with the connection that carried it.
                missed = True
                time.sleep(next(waits))
                continue
            waits = pauses()
            if message is not None:
                self._obey(message)

    def _obey(self, message: Message) -> None:
        if message.kind is MessageKind.CANCEL:
            self._cancel(message.id, message.attempt)
        elif message.kind is MessageKind.DRAIN:
            self._journal("drain", grace=message.grace)
            self._worker.drain(message.grace)
        else:
            self._journal("undrain")
            self._worker.undrain()

    def _cancel(self, job_id: str, number: int) -> None:
        attempt = self._held.find(job_id, number)
        if attempt is not None:
            self._journal("cancel", job=job_id, attempt=number)
            attempt.end(Stop.CANCEL, attempt.job.grace)

    def _catch_up(self) -> None:
        held = self._held.all()
        jobs = self._queue.get_many([attempt.job.id for attempt in held]) if held else []
        for job in jobs:
            if job is not None and job.cancelling:
                self._cancel(job.id, job.attempt)
