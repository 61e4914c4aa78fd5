"""What the master and operators order: awaited."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import calls
from ..library import OLDER
from ..model import Submitted, Tick
from ..rules import QueueRates, Rate, Retention
from ..spec import JobSpec
from .sender import Sender


class Control(Sender):
    """Time, workers, queues, arrays, and what is kept."""

    async def configure(
        self,
        lease: float,
        *,
        queues: Mapping[str, QueueRates] | None = None,
        client_rate: Rate | None = None,
    ) -> None:
        """See `Queue.configure`."""
        await self._call(calls.configure(lease, queues=queues, client_rate=client_rate))

    async def migrate(self) -> int:
        """See `Queue.migrate`."""
        in_flight = await self._call(calls.migrate())
        if (await self._read(calls.library(OLDER))) is not None:
            await self._read(calls.drop_library(OLDER))
        return in_flight

    async def tick(self, limit: int = 100) -> Tick:
        """See `Queue.tick`."""
        return await self._call(calls.tick(limit))

    async def drain(self, name: str, grace: float | None) -> None:
        """See `Queue.drain`."""
        await self._call(calls.drain(name, grace))

    async def undrain(self, name: str) -> None:
        """See `Queue.undrain`."""
        await self._call(calls.undrain(name))

    async def trial(self, name: str, seconds: float = 300.0) -> None:
        """See `Queue.trial`."""
        await self._call(calls.trial(name, seconds))

    async def pause(self, queue: str) -> None:
        """See `Queue.pause`."""
        await self._call(calls.pause(queue))

    async def drain_queue(self, queue: str) -> None:
        """See `Queue.drain_queue`."""
        await self._call(calls.drain_queue(queue))

    async def resume(self, queue: str) -> None:
        """See `Queue.resume`."""
        await self._call(calls.resume(queue))

    async def open_array(self, array_id: str, size: int, max_fails: int | None = None) -> None:
        """See `Queue.open_array`."""
        await self._call(calls.open_array(array_id, size, max_fails))

    async def cancel_array(self, array_id: str) -> None:
        """See `Queue.cancel_array`."""
        await self._call(calls.cancel_array(array_id))

    async def prune(self, rules: Retention, limit: int = 100) -> int:
        """See `Queue.prune`."""
        return await self._call(calls.prune(rules, limit))

    async def take_litter(self, n: int) -> builtins.list[str]:
        """See `Queue.take_litter`."""
        return await self._call(calls.take_litter(n))

    async def drop_litter(self, ids: Sequence[str]) -> None:
        """See `Queue.drop_litter`."""
        await self._call(calls.drop_litter(ids))

    async def fire(self, schedule: str, tick_ms: int, spec: JobSpec | None) -> Submitted | None:
        """See `Queue.fire`."""
        return await self._call(calls.fire(schedule, tick_ms, spec))

    async def keep_schedules(self, names: Collection[str]) -> None:
        """See `Queue.keep_schedules`."""
        await self._call(calls.keep_schedules(names))

    async def restore(self, records: Sequence[Mapping[str, Any]]) -> int:
        """See `Queue.restore`."""
        return await self._call(calls.restore(records))
