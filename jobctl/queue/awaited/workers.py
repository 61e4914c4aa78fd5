"""What workers say and ask: awaited."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from .. import calls
from ..call import Lease
from ..fleet import Message, Renewal, WorkerInfo
from ..model import Claims, Finish
from ..status import Cause, Verdict
from .sender import Sender


class Workers(Sender):
    """Registering, claiming, reporting, finishing."""

    async def register(self, info: WorkerInfo) -> None:
        """See `Queue.register`."""
        await self._call(calls.register(info))

    async def renew(self, incarnation: str, leases: Sequence[Lease]) -> Renewal:
        """See `Queue.renew`."""
        return await self._call(calls.renew(incarnation, leases))

    async def claim(
        self, incarnation: str, room: int, queues: Sequence[str], *, prefetch: int = 0
    ) -> Claims:
        """See `Queue.claim`."""
        return await self._call(calls.claim(incarnation, room, queues, prefetch=prefetch))

    async def start(self, incarnation: str, leases: Sequence[Lease]) -> builtins.list[Verdict]:
        """See `Queue.start`."""
        return await self._call(calls.start(incarnation, leases))

    async def report(
        self,
        job_id: str,
        attempt: int,
        *,
        step: str | None = None,
        progress: float | None = None,
        checkpoint: str | None = None,
    ) -> Verdict:
        """See `Queue.report`."""
        found = calls.report(job_id, attempt, step=step, progress=progress, checkpoint=checkpoint)
        return await self._call(found)

    async def finish(
        self,
        incarnation: str,
        finishes: Sequence[Finish],
        *,
        room: int = 0,
        prefetch: int = 0,
        queues: Sequence[str] = (),
    ) -> tuple[builtins.list[Verdict], Claims]:
        """See `Queue.finish`."""
        found = calls.finish(incarnation, finishes, room=room, prefetch=prefetch, queues=queues)
        return await self._call(found)

    async def hand_back(
        self, incarnation: str, leases: Sequence[Lease], cause: Cause | None
    ) -> builtins.list[Verdict]:
        """See `Queue.hand_back`."""
        return await self._call(calls.hand_back(incarnation, leases, cause))

    async def deregister(self, incarnation: str) -> None:
        """See `Queue.deregister`."""
        await self._call(calls.deregister(incarnation))

    async def wait_message(self, incarnation: str, timeout: float) -> Message | None:
        """See `Queue.wait_message`."""
        return await self._read(calls.wait_message(incarnation, timeout))

    async def wait_work(self, queues: Sequence[str], timeout: float) -> bool:
        """See `Queue.wait_work`."""
        return await self._read(calls.wait_work(queues, timeout))

    async def wait_jobs(
        self, incarnation: str, room: int, queues: Sequence[str], timeout: float
    ) -> Claims | None:
        """See `Queue.wait_jobs`."""
        await self._call(calls.wait(incarnation, room, queues))
        return await self._read(calls.wait_handed(incarnation, queues, timeout))
