"""Ends that the queue has not acknowledged. Not safe for threads: the exchange's lock is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from .lane import Ended
from .prefetch import GATHER

MAX_ENDS = 256
"""The most ends that one call carries: Redis serves nobody else meanwhile."""

_MAX_BYTES = 1 << 20


class Outbox:
    """First in, first told."""

    def __init__(self) -> None:
        self._ends: list[Ended] = []
        self.gathers_until = -math.inf
        """Until when ends wait for others to be told with (time.monotonic); -inf: not at all."""

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[Ended]:
        return iter(self._ends)

    def add(self, ends: Iterable[Ended]) -> None:
        """Ends to be told."""
        self._ends += ends

    @property
    def due(self) -> float:
        """When there is something to tell."""
        return self.gathers_until if self._ends or self.gathers_until > -math.inf else math.inf

    def gather(self, now: float) -> None:
        """Nobody here waits for an answer: what has ended goes with what ends a moment later."""
        if self.gathers_until == -math.inf:
            self.gathers_until = now + GATHER

    def take(self, limit: int = MAX_ENDS) -> list[Ended]:
        """The next ones, as many as one call may carry; at least one if there is any."""
        self.gathers_until = -math.inf
        count = size = 0
        for _, result in self._ends[:limit]:
            if result.outcome is not None:
                size += len(result.outcome.result)
            if count and size > _MAX_BYTES:
                break
            count += 1
        taken, self._ends = self._ends[:count], self._ends[count:]
        return taken

    def put_back(self, ends: list[Ended]) -> None:
        """They could not be told."""
        self._ends = ends + self._ends
