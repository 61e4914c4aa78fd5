"""Deletes ended jobs past their time, a little at a time."""

import asyncio
import time
from contextlib import suppress

from jobctl.master.keeper import Keeper
from jobctl.master.settings import KeepRule, Settings
from jobctl.queue import AsyncQueue, Keep, QueueError, Retention

# For every second that deleting takes Redis has four for others.
_LEISURE = 4
_SHORTEST_REST = 0.01


class Pruner:
    """Holds the ended jobs to the cluster's rules of retention."""

    def __init__(self, queue: AsyncQueue, keeper: Keeper, settings: Settings) -> None:
        rules = settings.retention
        self._queue = queue
        self._keeper = keeper
        self._batch = settings.limits.prune_batch
        self._interval = settings.limits.prune_interval
        self._rules = Retention(
            succeeded=_keep(rules.succeeded),
            failed=_keep(rules.failed),
            cancelled=_keep(rules.cancelled),
        )

    async def run(self) -> None:
        """Look for ever whether some are past their time; do nothing if no rule can be broken."""
        while self._rules != Retention():
            await self._keeper.steady()
            # What is wrong the keeper says, and it knows when that is over.
            with suppress(QueueError):
                await self._prune()
            await asyncio.sleep(self._interval)

    async def _prune(self) -> None:
        """Delete in bounded batches until less than a full one was left."""
        while True:
            began = time.monotonic()
            deleted = await self._queue.prune(self._rules, self._batch)
            if deleted < self._batch:
                return
            took = time.monotonic() - began
            await asyncio.sleep(max(_SHORTEST_REST, took * _LEISURE))


def _keep(rule: KeepRule) -> Keep:
    return Keep(age=rule.age, count=rule.count)
