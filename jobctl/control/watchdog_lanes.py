"""Work on containers: in order for each, side by side for several."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

WIDTH = 4
"""Containers that are worked on at once: the engine itself gets no faster with more."""

Work = Callable[[], None]


@dataclass
class Lanes:
    """A queue of work for each container, and a thread for as long as there is some.

    ``failed`` is told of what a piece of work raises; the next one is done all the same.
    """

    failed: Callable[[str, Exception], None]
    _waiting: dict[str, deque[Work]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(WIDTH))

    def add(self, instance: str, work: Work) -> None:
        """Do something after all that waits for this container; returns at once."""
        with self._lock:
            lane = self._waiting.get(instance)
            if lane is not None:
                lane.append(work)
                return
            lane = self._waiting[instance] = deque([work])
        run = threading.Thread(
            target=self._run, args=(instance, lane), name=f"watch {instance}", daemon=True
        )
        run.start()

    def _run(self, instance: str, lane: deque[Work]) -> None:
        while True:
            with self._lock:
                if not lane:
                    del self._waiting[instance]
                    return
                work = lane.popleft()
            with self._places:
                try:
                    work()
                except Exception as error:  # noqa: BLE001 - one failure must not end all
                    self.failed(instance, error)
