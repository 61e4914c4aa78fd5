"""Keeps the queue going: loads its library, ticks when something is due, shows that it is alive."""

import asyncio

from jobctl.master.settings import QueueRules, RateRule, Settings
from jobctl.queue import AsyncQueue, QueueError, QueueRates, Rate

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
# Between two ticks at least: what is due at every moment must not take Redis for itself.
_SHORTEST_REST = 0.002


class Keeper:
    """Keeps the queue going for as long as the master lives."""

    def __init__(self, queue: AsyncQueue, settings: Settings) -> None:
        self._queue = queue
        self._settings = settings
        self._pause = _FIRST_PAUSE
        self._steady = asyncio.Event()
        self._stirred = asyncio.Event()
        self.reason = "Redis has not answered yet."
        """Why the queue is not ready, in one sentence."""
        # A tick that comes later than half a lease after the last one counts as a gap in which
        # nobody could renew, and then sweeps nothing.
        self._tick_interval = min(settings.tick_interval, settings.lease / 4)

    @property
    def ready(self) -> bool:
        """The library of this version is loaded and Redis answered the last time."""
        return self._steady.is_set()

    async def steady(self) -> None:
        """Wait until the queue is ready."""
        await self._steady.wait()

    def stir(self) -> None:
        """Look now when the next job is due: one was submitted that waits for its time."""
        self._stirred.set()

    async def run(self) -> None:
        """Tick for ever. Redis may come late, go away, or come back without its functions."""
        while True:
            try:
                if not self.ready:
                    await self._set_up()
                    self._steady.set()
                rest = await self._tick()
                self._pause = _FIRST_PAUSE
            except QueueError as error:
                self._steady.clear()
                self.reason = str(error)
                # Quick at first: `jobctl up` waits for this moment.
                await asyncio.sleep(self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            else:
                await self._rest(rest)

    async def breathe(self) -> None:
        """Touch the health file for ever.

        Apart from the ticks: it says that this process runs, not that Redis does, and a restart
        of the master would not bring Redis back.
        """
        while True:
            self._settings.alive_file.touch()
            await asyncio.sleep(self._settings.tick_interval)

    async def _set_up(self) -> None:
        settings = self._settings
        await self._queue.ensure_library(replace=True)
        await self._queue.migrate()
        await self._queue.configure(
            settings.lease,
            queues={name: _rates(rules) for name, rules in settings.queues.items()},
            client_rate=_rate(settings.client_rate),
        )

    async def _tick(self) -> float:
        """Tick until less than a full batch was due; return in how many seconds to come back."""
        batch = self._settings.limits.tick_batch
        while (tick := await self._queue.tick(limit=batch)).moved >= batch:
            await asyncio.sleep(0)  # lets requests in between
        due = self._tick_interval if tick.next_due is None else tick.next_due
        return max(_SHORTEST_REST, min(due, self._tick_interval))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        except TimeoutError:
            return
        self._stirred.clear()
        # Many are submitted at once: one look a moment later sees them all.
        await asyncio.sleep(_SHORTEST_REST)


def _rates(rules: QueueRules) -> QueueRates:
    return QueueRates(start=_rate(rules.start), submit=_rate(rules.submit))


def _rate(rule: RateRule | None) -> Rate | None:
    return Rate(rule.per_second, rule.burst) if rule else None
