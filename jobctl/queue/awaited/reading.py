"""What can be asked without changing anything: awaited."""

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

    async def get(self, job_id: str) -> Job:
        """See `Queue.get`."""
        return await self._call(calls.get(job_id))

    async def get_many(self, ids: Sequence[str]) -> builtins.list[Job | None]:
        """See `Queue.get_many`."""
        return await self._call(calls.get_many(ids))

    async def list(
        self,
        status: Status | Iterable[Status] | None = None,
        name: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        array: str | None = None,
        *,
        cause: Cause | None = None,
    ) -> Page:
        """See `Queue.list`."""
        return await self._call(calls.listing(status, name, limit, cursor, array, cause=cause))

    async def counts(self) -> dict[Status, int]:
        """See `Queue.counts`."""
        return await self._call(calls.counts())

    async def workers(self) -> builtins.list[Worker]:
        """See `Queue.workers`."""
        return await self._call(calls.workers())

    async def queues(self) -> builtins.list[QueueInfo]:
        """See `Queue.queues`."""
        names = await self._call(calls.queue_names())
        found: builtins.list[QueueInfo] = []
        for at in range(0, len(names), calls.QUEUES_PAGE):
            some = await self._call(calls.queues(names[at : at + calls.QUEUES_PAGE]))
            found += some
        return found

    async def array(self, array_id: str) -> ArrayInfo:
        """See `Queue.array`."""
        return await self._call(calls.array(array_id))

    async def schedules(self) -> dict[str, int]:
        """See `Queue.schedules`."""
        return await self._call(calls.schedules())

    async def facts(self, job_id: str) -> Facts:
        """See `Queue.facts`."""
        return await self._call(calls.facts(job_id))

    async def backup_page(self, cursor: str) -> tuple[str, builtins.list[dict[str, Any]]]:
        """See `Queue.backup_page`."""
        return await self._call(calls.backup_page(cursor))

    async def events(
        self, last_id: str = "$", block: float = 5.0, count: int = 500
    ) -> builtins.list[Event]:
        """See `Queue.events`."""
        return await self._read(calls.events(last_id, block, count))
