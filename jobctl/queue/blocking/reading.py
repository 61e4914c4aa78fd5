"""What can be asked without changing anything."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from typing import Any

from .. import calls
from ..events import Event
from ..fleet import Worker
from ..model import Job, Page
from ..rules import ArrayInfo, Facts, QueueInfo
from ..status import Cause, Status
from .sender import Sender


class Reading(Sender):
    """Jobs, workers, queues, arrays, events."""

    def get(self, job_id: str) -> Job:
        """One job. Raises `UnknownJob`."""
        return self._call(calls.get(job_id))

    def get_many(self, ids: Sequence[str]) -> builtins.list[Job | None]:
        """Several jobs in order, None for each that is not there."""
        return self._call(calls.get_many(ids))

    def list(
        self,
        status: Status | Iterable[Status] | None = None,
        name: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        array: str | None = None,
        *,
        cause: Cause | None = None,
    ) -> Page:
        """A page of at most 500 jobs, newest first, by status, exact name, array and cause.

        A page may be short, or empty, and yet have a cursor: go on until it has none.
        """
        return self._call(calls.listing(status, name, limit, cursor, array, cause=cause))

    def counts(self) -> dict[Status, int]:
        """How many jobs have each status."""
        return self._call(calls.counts())

    def workers(self) -> builtins.list[Worker]:
        """All registered workers."""
        return self._call(calls.workers())

    def queues(self) -> builtins.list[QueueInfo]:
        """All queues that have jobs, a state or a rate, by name.

        Of very many, not all at the same moment.
        """
        names = self._call(calls.queue_names())
        found: builtins.list[QueueInfo] = []
        for at in range(0, len(names), calls.QUEUES_PAGE):
            some = self._call(calls.queues(names[at : at + calls.QUEUES_PAGE]))
            found += some
        return found

    def array(self, array_id: str) -> ArrayInfo:
        """How an array stands. Raises `UnknownJob`."""
        return self._call(calls.array(array_id))

    def schedules(self) -> dict[str, int]:
        """When each schedule fired last (ms)."""
        return self._call(calls.schedules())

    def facts(self, job_id: str) -> Facts:
        """What `explain` must know of a job. Raises `UnknownJob`."""
        return self._call(calls.facts(job_id))

    def backup_page(self, cursor: str) -> tuple[str, builtins.list[dict[str, Any]]]:
        """Some of the records of a backup; start with "0", and go on until it is "0"."""
        return self._call(calls.backup_page(cursor))

    def events(
        self, last_id: str = "$", block: float = 5.0, count: int = 500
    ) -> builtins.list[Event]:
        """Transitions after `last_id` ("$": from now on), waiting for one if need be."""
        return self._read(calls.events(last_id, block, count))
