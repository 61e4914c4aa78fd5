"""The places where jobs run: the thread of each, what it is at, and how long.

The bookkeeping is the exchange's, under its lock; the threads only run their lanes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from .attempt import Attempt
from .lane import Done, Ended, Lane

NextBatch = Callable[["Slot"], list[Attempt]]
SlotDone = Callable[["Slot", "list[Ended] | tuple[Ended, ...]"], None]


class Slot:
    """One place, and the batch that is in it."""

    __slots__ = ("began", "done", "inbox", "lane", "left", "number", "ran", "since")

    def __init__(self, number: int) -> None:
        self.number = number
        self.inbox: SimpleQueue[list[Attempt] | None] = SimpleQueue()
        self.lane: Lane | None = None
        self.done: Done | None = None
        self.left = 0
        """Attempts of the batch that have not ended."""
        self.ran = 0
        """Attempts of the batch that ended by running."""
        self.began = 0.0
        self.since = 0.0
        """When it began with what it is at now (time.monotonic)."""

    def begin(self, batch: list[Attempt]) -> None:
        """What can begin at once begins in this thread; the slot's must be given the same next.

        To wake a thread first would cost a job that comes to an idle worker a fifth of its way.
        """
        if self.lane is not None and self.done is not None:
            self.lane.begin(batch, self.done)

    def give(self, batch: list[Attempt]) -> None:
        """Lets the slot's thread run a batch."""
        self.inbox.put(batch)


class Slots:
    """All places of a worker. Only `start` and `close` concern the threads."""

    def __init__(self, count: int) -> None:
        self.all = [Slot(number) for number in range(count)]
        # The lowest number first: fewer UIDs and executors in use, logs easier to read.
        self._free = set(range(count))
        self._left = 0
        self._threads: list[threading.Thread] = []

    # -- bookkeeping

    @property
    def count(self) -> int:
        """How many places there are."""
        return len(self.all)

    @property
    def free(self) -> int:
        """How many places have nothing to do."""
        return len(self._free)

    @property
    def ahead(self) -> int:
        """Attempts that lanes have and that wait there for the one before them."""
        return self._left - (self.count - self.free)

    def first_free(self) -> Slot:
        """The place that gets the next batch."""
        return self.all[min(self._free)]

    def begin(self, slot: Slot, count: int, now: float) -> None:
        """A batch of `count` is the slot's from now on."""
        self._free.discard(slot.number)
        self._left += count
        slot.left = count
        slot.ran = 0
        slot.began = slot.since = now

    def progress(self, slot: Slot, ran: int, came_back: int, now: float) -> None:
        """So many of the slot's attempts ended by running; others came back."""
        self._left -= ran + came_back
        slot.left -= ran + came_back
        slot.ran += ran
        slot.since = now

    def end(self, slot: Slot) -> None:
        """The slot is free."""
        self._free.add(slot.number)

    def busy_for(self, now: float) -> list[float]:
        """How long each slot is at its current job; 0 for a free one."""
        free = self._free
        return [0.0 if slot.number in free else now - slot.since for slot in self.all]

    # -- threads

    def start(
        self, lane_of: Callable[[int], Lane], next_batch: NextBatch, done: SlotDone, warm: bool
    ) -> None:
        """Starts all threads; with `warm` the first slot makes itself ready at once.

        Before any job: one that forks without end can take every process the container may
        have, and then no thread could be started for the others.
        """
        for slot in self.all:
            thread = threading.Thread(
                target=_serve,
                args=(slot, lane_of, next_batch, partial(done, slot), warm and slot.number == 0),
                name=f"slot-{slot.number}",
                daemon=True,
            )
            self._threads.append(thread)
            thread.start()

    def close(self, patience: float) -> None:
        """Lets the free slots close their lanes, and waits for that at most so long (s)."""
        for slot in self.all:
            slot.inbox.put(None)
        for thread in self._threads:
            thread.join(patience / self.count)


def _serve(
    slot: Slot, lane_of: Callable[[int], Lane], next_batch: NextBatch, done: Done, warm: bool
) -> None:
    lane = lane_of(slot.number)
    slot.lane, slot.done = lane, done
    if warm:
        lane.warm()
    while batch := slot.inbox.get():
        while batch:
            lane.run(batch, done)
            batch = next_batch(slot)
    lane.close()
