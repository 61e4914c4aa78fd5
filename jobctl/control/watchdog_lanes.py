"""Work on containers: in order for each, side by side for a few."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

WIDTH = 3
"""Containers that are worked on at once: the cap on the controller's threads is low."""

Work = Callable[[], None]


@dataclass
class Lanes:
    """A queue of work for each container, and threads for as long as there is some.

    ``failed`` is told of what a piece of work raises; the next one is done all the same.
    """

    failed: Callable[[str, Exception], None]
    _lanes: dict[str, deque[Work]] = field(default_factory=dict)
    _idle: deque[str] = field(default_factory=deque)
    _threads: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, instance: str, work: Work) -> None:
        """Do something after all that waits for this container; returns at once."""
        with self._lock:
            lane = self._lanes.get(instance)
            if lane is None:
                lane = self._lanes[instance] = deque()
                self._idle.append(instance)
            lane.append(work)
            if self._threads == WIDTH or not self._idle:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._run, name="watchdog acts", daemon=True).start()
        except RuntimeError as error:  # no more threads: whoever runs does it, or the next `add`
            with self._lock:
                self._threads -= 1
            self.failed(instance, error)

    def _run(self) -> None:
        while (found := self._next()) is not None:
            instance, work = found
            try:
                work()
            except Exception as error:  # noqa: BLE001 - one failure must not end all
                self.failed(instance, error)
            with self._lock:
                if self._lanes[instance]:
                    self._idle.append(instance)
                else:
                    del self._lanes[instance]

    def _next(self) -> tuple[str, Work] | None:
        """Take the first piece of work for a container that nobody works on."""
        with self._lock:
            if not self._idle:
                self._threads -= 1
                return None
            instance = self._idle.popleft()
            return instance, self._lanes[instance].popleft()
