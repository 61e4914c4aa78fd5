"""How many jobs run at once: the slots, the thread of each, and whether more may come."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobctl.queue import Job

Work = Callable[[int, Job], Job | None]
"""Runs a job in a slot to its acknowledged end; returns the one to run next, if any."""


class Slots:
    """Numbered places for jobs. A slot goes on with the job that its last one's end brought."""

    def __init__(self, count: int, work: Work, on_free: Callable[[], None]) -> None:
        self._work = work
        self._on_free = on_free
        self._count = count
        # The lowest number first: fewer UIDs in use, logs easier to read.
        self._free = set(range(count))
        self._changed = threading.Condition()
        self._given: dict[int, Job] = {}
        self._draining = False
        self._closed = False
        # All at once, before any job: one that forks without end can take every process the
        # container may have, and then no thread could be started for the others.
        for slot in range(count):
            threading.Thread(
                target=self._serve, args=(slot,), name=f"slot-{slot}", daemon=True
            ).start()

    @property
    def open(self) -> bool:
        """Whether jobs may be claimed."""
        return not (self._draining or self._closed)

    @property
    def idle(self) -> bool:
        """Whether no slot is taken."""
        with self._changed:
            return len(self._free) == self._count

    def set_draining(self, draining: bool) -> None:
        """Stops or resumes claiming."""
        with self._changed:
            self._draining = draining
            self._changed.notify_all()

    def close(self) -> None:
        """Stops claiming for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def room(self) -> int:
        """Free slots, if claiming is allowed."""
        with self._changed:
            return len(self._free) if self.open else 0

    def wait_for_room(self) -> int:
        """Blocks until a job may be claimed; 0 means never again."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (self.open and self._free))
            return 0 if self._closed else len(self._free)

    def wait_until_closed(self, seconds: float) -> None:
        """Rests, but not past the closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    def give(self, job: Job) -> None:
        """Runs the job in a free slot; there must be one."""
        with self._changed:
            slot = min(self._free)
            self._free.remove(slot)
            self._given[slot] = job
            self._changed.notify_all()

    def _serve(self, slot: int) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: slot in self._given)
                following: Job | None = self._given.pop(slot)
            while following is not None:
                following = self._work(slot, following)
            with self._changed:
                self._free.add(slot)
                self._changed.notify_all()
            self._on_free()
