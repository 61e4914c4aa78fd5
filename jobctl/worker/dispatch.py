"""From the buffer into the slots, and back. Not safe for threads: the exchange's lock is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from . import prefetch
from .appetite import Stock
from .attempt import Attempt
from .buffer import Buffer
from .lane import Ended, Result
from .slots import Slot, Slots


class Dispatch:
    """Knows what waits, how fast it goes, and what waits too long. Instants: time.monotonic."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._pace = prefetch.Pace()
        self.buffer = Buffer()
        self.ordered = False
        """An attempt in the buffer may have been ordered to end."""
        self.overdue_at = math.inf
        """When something in the buffer may have waited too long."""

    @property
    def stock(self) -> Stock:
        """What could be taken in."""
        return Stock(
            room=self._slots.free,
            held=len(self.buffer) + self._slots.ahead,
            depth=prefetch.depth(self._pace.per_job, self._slots.count),
        )

    @property
    def stocked(self) -> bool:
        """Whether all slots are at work and will be for a while, whatever the queue says."""
        # What lanes have ahead counts as far as it can be commands; functions go too fast.
        waiting = len(self.buffer) + min(
            self._slots.ahead, self._slots.count * prefetch.MAX_COMMANDS
        )
        lasts = prefetch.lasts(waiting, self._pace.per_job, self._slots.count)
        return not self._slots.free and lasts >= prefetch.ENOUGH

    def ended(self, slot: Slot, ends: Sequence[Ended], now: float) -> Iterable[Ended]:
        """Takes what a lane says of its batch; returns what is to be told."""
        back = [attempt for attempt, result in ends if result.unstarted]
        if not back:
            self._slots.progress(slot, len(ends), 0, now)
            return ends
        # The lane of commands told the end of the one before when this one was under way.
        if now - slot.since >= 0.9 * prefetch.LONG:
            self._pace.surprise()
        told = [end for end in ends if not end[1].unstarted]
        if slot.ran == 0 and len(back) == slot.left:
            # The lane could do nothing at all: another worker may do better.
            told = [(attempt, Result(None)) for attempt in back]
        else:
            self.buffer.put_back(back)
            self.overdue_at = now
        self._slots.progress(slot, len(ends) - len(back), len(back), now)
        return told

    def next_batch(self, slot: Slot, now: float, *, open_: bool) -> list[Attempt]:
        """What a slot that is done runs next; [] if there is nothing, then it is free."""
        if slot.ran:
            self._pace.note(now - slot.began, slot.ran)
        batch = self._take(self._slots.free + 1) if open_ else []
        if batch:
            self._slots.begin(slot, len(batch), now)
        else:
            self._slots.end(slot)
        return batch

    def begin_alone(self, batch: list[Attempt]) -> Slot | None:
        """Lets a job that came alone, and finds nothing before it, begin in a free slot.

        Then `began` must follow; None if it has to be buffered like others.
        """
        if len(batch) != 1 or self.buffer or not self._slots.free:
            return None
        slot = self._slots.first_free()
        slot.begin(batch)
        return slot

    def began(self, slot: Slot, batch: list[Attempt], now: float) -> None:
        """The batch is the slot's, and its thread goes on with it."""
        self._slots.begin(slot, len(batch), now)
        slot.give(batch)

    def hand_out(self, now: float) -> None:
        """Gives the free slots what there is."""
        while self.buffer and self._slots.free:
            slot = self._slots.first_free()
            batch = self._take(self._slots.free)
            slot.begin(batch)
            self.began(slot, batch, now)
        if not self.buffer:
            self.overdue_at = math.inf
        elif self.overdue_at == math.inf:
            self.overdue_at = now

    def clear(self, now: float, *, open_: bool) -> list[Ended]:
        """Takes out what is not to begin here, and how each of it ended."""
        if not open_:
            return self.buffer.drop_all()
        ends: list[Ended] = []
        if self.ordered:
            self.ordered = False
            ends += self.buffer.drop_ordered()
        if self.buffer and not self._slots.free and now >= self.overdue_at:
            busy = self._slots.busy_for(now)
            late, again = self.buffer.drop_overdue(now, busy, self._pace.per_job)
            self.overdue_at = now + again
            ends += late
        return ends

    def _take(self, free: int) -> list[Attempt]:
        return self.buffer.take(free, self._slots.count, self._pace.per_job)
