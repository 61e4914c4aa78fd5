"""How long to wait before trying again: short at first, doubling, bounded."""

from __future__ import annotations

from collections.abc import Iterator

FIRST = 0.02
LONGEST = 1.0


def pauses(first: float = FIRST, longest: float = LONGEST) -> Iterator[float]:
    """Yields seconds without end: first, 2*first, … up to longest."""
    pause = first
    while True:
        yield pause
        pause = min(2 * pause, longest)
