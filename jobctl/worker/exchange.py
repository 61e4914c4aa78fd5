"""The worker's heart: jobs come in, ends go out, both in the same calls.

There is one exchange with Redis at a time, but no thread that owns it: whoever has a reason
(a token came, a slot has nothing left to do, a timer) makes it in its own thread if nobody
else is at it, and who is at it looks again before leaving. So a job that arrives at an idle
worker is claimed by the very thread that waited for it, and while an exchange is on its way
the lanes go on with what is buffered: two batches are in the air.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence

from jobctl.queue import Claims, QueueError, Unavailable, UnknownWorker

from .appetite import Appetite
from .attempt import Attempt, Held
from .bell import Bell
from .delivery import Delivery, Wanted
from .dispatch import Dispatch
from .lane import Ended
from .outbox import MAX_ENDS, Outbox
from .pauses import pauses
from .slots import Slot, Slots


class Exchange:
    """Claims for free slots, hands out, tells ends. Safe from any thread.

    `at_rest` is called whenever a worker that claims no more may have nothing left.
    """

    def __init__(
        self,
        delivery: Delivery,
        slots: Slots,
        held: Held,
        queues: tuple[str, ...],
        *,
        at_rest: Callable[[], None],
        on_unknown: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delivery = delivery
        self._slots = slots
        self._held = held
        self._appetite = Appetite(queues)
        self._at_rest = at_rest
        self._on_unknown = on_unknown
        self._clock = clock
        self._lock = threading.Lock()
        self._need = threading.Condition(self._lock)
        self._turn = threading.Lock()
        self._bell = Bell()
        self._dispatch = Dispatch(slots)
        self._outbox = Outbox()
        self._telling: list[Ended] = []
        self._portion = MAX_ENDS
        # Redis refuses what it is told, and a line has said so: no other one until that is over.
        self._refused = False
        self._draining = False
        self._closed = False
        self._begun = False
        # A claim is on its way: how many slots will be free is not known.
        self._asking = False
        # There is news since somebody last looked; whoever has the turn looks again.
        self._pending = False
        self._retry_at = -math.inf
        self._asleep_until = -math.inf
        self._waits = pauses()

    # -- the worker's life

    def begin(self) -> None:
        """Claims from now on: the queue knows this worker."""
        with self._lock:
            self._begun = True
            self._pending = True
        self.pump()

    def set_draining(self, draining: bool) -> None:
        """Stops or resumes claiming. What has not begun goes back at once."""
        with self._lock:
            self._draining = draining
            # Either way a claim: one of nothing, so that nothing is handed over any more.
            self._appetite.woken = True
            self._need.notify_all()
        self._ring()

    def close(self) -> None:
        """Stops claiming for good."""
        with self._lock:
            self._closed = True
            self._need.notify_all()
        self._ring()

    @property
    def idle(self) -> bool:
        """Whether nothing is held, running or to be told, and no call is on its way."""
        with self._lock:
            return not (
                self._turn.locked()
                or self._slots.free < self._slots.count
                or self._dispatch.buffer
                or self._outbox
                or self._telling
            )

    def untold(self) -> list[Attempt]:
        """Attempts whose end the queue has not acknowledged."""
        with self._lock:
            return [attempt for attempt, _ in (*self._telling, *self._outbox)]

    # -- what others tell it

    def woken(self) -> None:
        """There may be work: claims in this thread, or lets the thread that is at it claim."""
        with self._lock:
            self._appetite.woken = self._pending = True
        self.pump()

    def handed(self, claims: Claims) -> None:
        """Jobs came unasked: hands them out in this thread, which has nothing before it."""
        now = self._clock()
        new = [Attempt(job, now) for job in claims.jobs]
        with self._lock:
            # Before all else: the job of an idle worker waits for nothing but this.
            slot = self._dispatch.begin_alone(new) if self._open else None
            self._held.add(new)
            self._appetite.given(claims, now)
            if slot is not None:
                self._dispatch.began(slot, new, now)
                return
            self._dispatch.buffer.add(new)
            if self._open:
                self._dispatch.hand_out(now)
            left = bool(self._dispatch.buffer)
            if left:
                self._pending = True
        if left:
            self.pump()

    def orders_came(self) -> None:
        """Some held attempt was ordered to end, perhaps one that has not begun."""
        with self._lock:
            self._dispatch.ordered = True
        self._ring()

    def done(self, slot: Slot, ends: Sequence[Ended]) -> None:
        """How attempts of a slot's batch ended. Called by its lane."""
        now = self._clock()
        with self._lock:
            self._outbox.add(self._dispatch.ended(slot, ends, now))
            more = slot.left > 0
        # The last of a batch rings nobody: the slot's own thread is about to look.
        if more:
            self._ring()

    def next_batch(self, slot: Slot) -> list[Attempt]:
        """What the slot runs next; [] if there is nothing, then it is free."""
        now = self._clock()
        with self._lock:
            batch = self._dispatch.next_batch(slot, now, open_=self._open)
            self._pending = self._pending or not batch
            if gather := bool(batch) and self._dispatch.stocked:
                self._outbox.gather(now)
        if not batch:
            # Nothing better to do for this thread than to make the exchange itself.
            self.pump(slot)
        elif not gather:
            self._ring()
        elif self._outbox.due < self._asleep_until and not self._turn.locked():
            self._bell.ring()
        return batch

    # -- the thread that waits for tokens

    def wait_for_need(self) -> tuple[int, tuple[str, ...]] | None:
        """Blocks until jobs are waited for: so many, of these queues; None: never again."""
        with self._need:
            while not self._closed:
                rest = self._appetite.rest_until - self._clock()
                if not self._needs_token():
                    self._need.wait()
                elif rest > 0:
                    self._need.wait(rest)
                else:
                    return self._slots.free, self._appetite.order()
            return None

    def wait_until_closed(self, seconds: float) -> None:
        """Rests, but not past the closing."""
        with self._need:
            self._need.wait_for(lambda: self._closed, seconds)

    def _needs_token(self) -> bool:
        return self._open and not self._asking and self._appetite.needs_token(self._slots.free)

    # -- the thread that keeps the time

    def run(self) -> None:
        """Exchanges what nobody else does: ends of running batches, and what is due."""
        while True:
            with self._lock:
                # Whoever has the turn looks again before leaving, and rings if need be.
                self._asleep_until = math.inf if self._turn.locked() else self._due()
                until = self._asleep_until
            self._bell.wait(None if until == math.inf else until - self._clock())
            self.pump()

    def _due(self) -> float:
        """When something is to be done without news (time.monotonic; inf: nothing)."""
        if self._pending:
            return -math.inf
        if not self._begun:
            return math.inf
        if self._appetite.woken:
            return self._retry_at
        free = self._slots.free
        due = self._outbox.due
        if self._open and free:
            due = min(due, self._appetite.due_at)
        if self._dispatch.buffer and not free:
            due = min(due, self._dispatch.overdue_at)
        return max(due, self._retry_at)

    def _ring(self) -> None:
        self._pending = True
        if not self._turn.locked():
            self._bell.ring()

    # -- the exchange

    def pump(self, slot: Slot | None = None) -> None:
        """Exchanges for as long as there is something, unless another thread is at it.

        The thread of `slot` leaves the rest to others as soon as its slot has a batch.
        """
        while self._turn.acquire(blocking=False):
            try:
                worked = self._step()
            finally:
                self._turn.release()
            if slot is not None and not slot.inbox.empty():
                self._pending = True
                break
            if not worked and not self._pending:
                break
        else:
            return
        with self._lock:
            early = self._due() < self._asleep_until
            rests = not self._open
        if early:
            self._bell.ring()
        if rests:
            self._at_rest()

    def _step(self) -> bool:
        """One exchange; False if there is none to make now."""
        with self._lock:
            now = self._clock()
            if now < min(self._due(), self._outbox.gathers_until):
                return False
            self._pending = False
            if not self._begun or now < self._retry_at:
                return False
            self._outbox.add(self._dispatch.clear(now, open_=self._open))
            self._dispatch.hand_out(now)
            ends = self._telling = self._outbox.take(self._portion)
            wanted = self._wanted(now, bool(ends))
            if not ends and wanted is None:
                return False
            self._asking = wanted is not None
            woken = self._asking and self._appetite.asks()
        try:
            claims = self._delivery.exchange(ends, wanted)
        except QueueError as error:
            self._failed(ends, woken, error)
            return False
        self._succeeded(ends, wanted, claims, woken)
        return True

    def _failed(self, ends: list[Ended], woken: bool, error: QueueError) -> None:
        with self._lock:
            self._telling = []
            self._asking = False
            if type(error) is QueueError and ends:
                # Redis serves, but not this: one end that it refuses must not keep the others.
                self._portion = max(1, len(ends) // 2)
            if len(ends) == self._portion == 1:
                self._outbox.add(ends)
            else:
                self._outbox.put_back(ends)
            # A token, or what a claim brought, may have been lost with the connection.
            self._appetite.woken = self._appetite.woken or woken or self._open
            self._retry_at = self._clock() + next(self._waits)
        if isinstance(error, UnknownWorker):
            self._on_unknown()
        elif not (self._refused or isinstance(error, Unavailable)):
            # Redis serves, so the heartbeat tells of nothing: this may go on unseen for ever.
            self._refused = True
            self._delivery.journal("exchange-refused", untold=len(ends), reason=error)

    def _succeeded(
        self, ends: list[Ended], wanted: Wanted | None, claims: Claims | None, woken: bool
    ) -> None:
        now = self._clock()
        # First of all: no look at them ever finds one held that is not said to have ended.
        self._held.remove([attempt for attempt, _ in ends])
        new = [Attempt(job, now) for job in claims.jobs] if claims is not None else []
        if new:
            self._held.add(new)
        with self._lock:
            self._telling = []
            self._asking = False
            self._portion = min(MAX_ENDS, 2 * self._portion)
            # Parts of a refused call may go well: it is over when all of it is told.
            if self._portion == MAX_ENDS or not self._outbox:
                self._refused = False
            self._waits = pauses()
            self._dispatch.buffer.add(new)
            if wanted is not None and claims is not None:
                self._appetite.learns(wanted, claims, woken, now)
            if self._open:
                self._dispatch.hand_out(now)
            # Set beforehand: nobody need be woken for the first end that comes.
            if self._dispatch.stocked:
                self._outbox.gather(now)
            if self._needs_token():
                self._need.notify_all()

    def _wanted(self, now: float, rides_along: bool) -> Wanted | None:
        if not self._open:
            return self._appetite.nothing()
        return self._appetite.wanted(self._dispatch.stock, now, rides_along=rides_along)

    @property
    def _open(self) -> bool:
        return self._begun and not (self._draining or self._closed)
