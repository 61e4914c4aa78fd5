"""What the controller says of workers whose containers it sees, and of itself: awaited."""

from __future__ import annotations

from collections.abc import Mapping

from .. import calls
from ..fleet import Gauges
from ..status import Cause
from .sender import Sender


class Controlling(Sender):
    """Proof of death, patience, the guard, and what the engine measured."""

    async def release(
        self, incarnation: str, cause: Cause = Cause.WORKER_LOST, reason: str = ""
    ) -> int:
        """See `Queue.release`."""
        return await self._call(calls.release(incarnation, cause, reason))

    async def release_container(
        self, container: str, before_ms: int, cause: Cause, reason: str = ""
    ) -> int:
        """See `Queue.release_container`."""
        return await self._call(calls.release_container(container, before_ms, cause, reason))

    async def set_aside(self, container: str, since_ms: int) -> int:
        """See `Queue.set_aside`."""
        return await self._call(calls.set_aside(container, since_ms))

    async def extend_lease(self, incarnation: str, until_ms: int) -> bool:
        """See `Queue.extend_lease`."""
        return await self._call(calls.extend_lease(incarnation, until_ms))

    async def guard(self, holder: str, seconds: float) -> bool:
        """See `Queue.guard`."""
        return await self._call(calls.guard(holder, seconds))

    async def drop_guard(self, holder: str) -> None:
        """See `Queue.drop_guard`."""
        await self._call(calls.drop_guard(holder))

    async def canary(self, worker: str, timeout: float = 30.0) -> str:
        """See `Queue.canary`."""
        return await self._call(calls.canary(worker, timeout))

    async def gauges(self, measured: Mapping[str, Gauges]) -> None:
        """See `Queue.gauges`."""
        await self._call(calls.gauges(measured))

    async def read_gauges(self) -> dict[str, Gauges]:
        """See `Queue.read_gauges`."""
        return await self._call(calls.read_gauges())
