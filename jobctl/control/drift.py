"""Which differences between the cluster and its spec are old enough to be mended. Pure.

A container that died by itself is brought back at once. Whatever else is not as it should be may be
the work of a command that has not ended yet (`up`, `scale`, `down`, a person): it has to last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

SETTLE = 3.0
"""Seconds that a difference lasts before it is nobody's work in progress."""


@dataclass(frozen=True)
class Drift:
    """Since when (s, of any one clock) which instances are not as they should be."""

    since: Mapping[str, float] = field(default_factory=dict)

    def after(self, instances: Collection[str], now: float) -> Drift:
        """Return what is known now that these instances are not as they should be."""
        return Drift({name: self.since.get(name, now) for name in instances})

    def young(self, died: Collection[str], now: float) -> frozenset[str]:
        """Return the instances that are to be left alone for now; `died` are those that died."""
        return frozenset(
            name for name, at in self.since.items() if name not in died and now - at < SETTLE
        )

    def due(self, died: Collection[str]) -> float | None:
        """Return when the next of them has lasted long enough; None when none waits for that."""
        ends = [at + SETTLE for name, at in self.since.items() if name not in died]
        return min(ends, default=None)
