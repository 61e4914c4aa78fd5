"""What the master does on its own: loads the queue's library, ticks, and shows it is alive."""

import asyncio

from jobctl.master.settings import Settings
from jobctl.queue import AsyncQueue, QueueError

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5


class Keeper:
    """Keeps the queue going for as long as the master lives."""

    def __init__(self, queue: AsyncQueue, settings: Settings) -> None:
        self._queue = queue
        self._settings = settings
        self._pause = _FIRST_PAUSE
        self.ready = False
        """The library of this version is loaded and Redis answered the last time."""
        self.reason = "Redis has not answered yet."
        """Why not, in one sentence."""
        # A tick that comes later than half a lease after the last one counts as a gap in which
        # nobody could renew, and then sweeps nothing.
        self._tick_interval = min(settings.tick_interval, settings.lease / 4)

    async def run(self) -> None:
        """Tick for ever. Redis may come late, go away, or come back without its functions."""
        while True:
            try:
                if not self.ready:
                    await self._queue.ensure_library(replace=True)
                    await self._queue.configure(lease=self._settings.lease)
                    self.ready = True
                await self._sweep()
                self._pause = _FIRST_PAUSE
                rest = self._tick_interval
            except QueueError as error:
                self.ready = False
                self.reason = str(error)
                # Quick at first: `jobctl up` waits for this moment.
                rest = self._pause
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(rest)

    async def breathe(self) -> None:
        """Touch the health file for ever.

        Apart from the ticks: it says that this process runs, not that Redis does, and a restart
        of the master would not bring Redis back.
        """
        while True:
            self._settings.alive_file.touch()
            await asyncio.sleep(self._settings.tick_interval)

    async def _sweep(self) -> None:
        """Tick until less than a full batch was due, letting requests in between."""
        batch = self._settings.limits.tick_batch
        while await self._queue.tick(limit=batch) >= batch:
            await asyncio.sleep(0)
