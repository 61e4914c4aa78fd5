"""The one reader of the queue's event stream, and those who wait for what it reads.

However many requests wait or follow, Redis sees a single blocking read from this master.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from jobctl.queue import AsyncQueue, Event, QueueError

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.5
_CLOCK_MARGIN = 60
# While nobody listens there is no hurry: many calls' events are read together.
_UNHEARD = 0.1


class Watch:
    """Wakes one request when something happened to one job."""

    def __init__(self) -> None:
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        """Wake the request (or let its next wait return at once)."""
        self._stirred.set()

    async def wait(self, timeout: float) -> bool:
        """Return True as soon as something happened, False after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._stirred.wait()
        except TimeoutError:
            return False
        self._stirred.clear()
        return True


class Subscription:
    """All events from the moment it was made on, for one follower of /events.

    A follower that falls behind by more than ``backlog`` events is cut off: it comes back with
    the id of the last one it saw and reads the rest from Redis, at no cost to the others.
    """

    def __init__(self, position: str, backlog: int) -> None:
        self.position = position
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._backlog = backlog
        self._cut = False

    def put(self, event: Event | None) -> None:
        """Add an event; None ends the subscription."""
        if self._cut:
            return
        self._cut = event is None or self._events.qsize() >= self._backlog
        self._events.put_nowait(None if self._cut else event)

    async def next(self, timeout: float) -> Event | None:
        """Return the next event, or None at the end; raises TimeoutError after silence."""
        async with asyncio.timeout(timeout):
            return await self._events.get()


class Feed:
    """Reads the event stream for the whole master."""

    def __init__(self, queue: AsyncQueue, *, backlog: int = 1000) -> None:
        self._queue = queue
        self._backlog = backlog
        self._watches: defaultdict[str, set[Watch]] = defaultdict(set)
        self._subscriptions: set[Subscription] = set()
        self.position = ""
        """Id of the last event read; "" until Redis has answered once."""
        self._heard = asyncio.Event()
        self._current = asyncio.Event()
        self.closed = False
        """The master is stopping: streams end, so that followers come back to its successor."""

    async def run(self, block: float = 5.0) -> None:
        """Read for ever; goes on by itself when Redis went away and came back."""
        # Not "$": that would skip what happens between two reads that find nothing. A minute
        # back, because Redis' clock may differ from this one.
        position = f"{int(time.time() - _CLOCK_MARGIN) * 1000}-0"
        pause = _FIRST_PAUSE
        interrupted = False
        while True:
            try:
                # The first read only shows that Redis answers, so it does not wait; nor does one
                # after a rest, as somebody may want to know that all has been read.
                wait = block if self.position and self._current.is_set() else 0
                events = await self._queue.events(position, block=wait)
            except QueueError:
                interrupted = True
                self._current.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            for event in events:
                self._deliver(event)
            position = self.position = events[-1].id if events else position
            self._current.set()
            pause = _FIRST_PAUSE
            if interrupted:
                # What happened meanwhile may never show up here: let everybody look again.
                interrupted = False
                self._stir_all()
            if events and not self._watches and not self._subscriptions:
                await self._rest()

    async def _rest(self) -> None:
        self._current.clear()
        self._heard.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_UNHEARD):
                await self._heard.wait()

    async def current(self) -> None:
        """Wait until what happened before this call has been read, or cannot be."""
        self._heard.set()
        await self._current.wait()

    def _deliver(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.put(event)
        if self._watches:
            for job_id in event.transitions.ids() & self._watches.keys():
                for watch in self._watches[job_id]:
                    watch.stir()

    def _stir_all(self) -> None:
        for watches in self._watches.values():
            for watch in watches:
                watch.stir()

    def close(self) -> None:
        """End every stream and wake every waiting request."""
        self.closed = True
        for subscription in self._subscriptions:
            subscription.put(None)
        self._stir_all()

    @contextmanager
    def watch(self, job_id: str) -> Iterator[Watch]:
        """Watch one job. Look at the job after entering: what happens from then on stirs."""
        watch = Watch()
        self._watches[job_id].add(watch)
        self._heard.set()
        try:
            yield watch
        finally:
            watches = self._watches[job_id]
            watches.discard(watch)
            if not watches:
                del self._watches[job_id]

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Follow all events from now on; earlier ones are read from the queue by id."""
        self._heard.set()
        subscription = Subscription(self.position, self._backlog)
        if self.closed:
            subscription.put(None)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
