"""How many workers the engine's host has room for, by the caps of all containers on it.

Memory is never promised twice. A cap on the processor is only a ceiling that most containers stay
under most of the time, so those may add up to ``controller.cpu_overcommit`` times the processors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from jobctl.control.autoscale_policy import Room
from jobctl.engine.model import EngineInfo
from jobctl.engine.protocol import Engine

_ALIVE = ("running", "paused", "restarting")
# What the host itself needs to live.
_KEPT = 0.1
_FRESH = 5.0
"""For so long (s) a look at the host counts."""


@dataclass(frozen=True)
class Caps:
    """What a container may use at most: cores and bytes; 0 where it has no cap."""

    cpus: float
    memory: int

    def times(self, count: int) -> Caps:
        """Return the caps of so many."""
        return Caps(self.cpus * count, self.memory * count)


def room(host: Caps, taken: Iterable[Caps], each: Caps, overcommit: float) -> Room:
    """Return how many containers fit beside what is taken; fewer than none counts as none."""
    every = list(taken)
    cpus = host.cpus * overcommit - sum(caps.cpus for caps in every)
    memory = host.memory * (1 - _KEPT) - sum(caps.memory for caps in every)
    return Room(max(0.0, cpus) // each.cpus, max(0.0, memory) // each.memory)


class HostRoom:
    """Looks at the host now and then. For one thread."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._clock = clock
        self._info: EngineInfo | None = None
        self._caps: dict[str, Caps] = {}
        self._looked_at = float("-inf")

    def fits(
        self, own: Collection[str], ordered: Iterable[Caps], each: Caps, overcommit: float
    ) -> Room:
        """Return how many workers of a pool fit on the host, those that it has included.

        ``own`` are the ids of its containers, ``ordered`` what other pools are about to make.
        Raises EngineError.
        """
        if self._clock() - self._looked_at > _FRESH:
            self._look()
        assert self._info is not None
        taken = [caps for id_, caps in self._caps.items() if id_ not in own]
        host = Caps(self._info.cpus, self._info.memory)
        return room(host, [*taken, *ordered], each, overcommit)

    def _look(self) -> None:
        if self._info is None:
            self._info = self._engine.info()
        alive = [row.id for row in self._engine.containers({}) if row.state in _ALIVE]
        found = {}
        for id_ in alive:
            # Only what is new is asked for: caps hardly ever change.
            caps = self._caps.get(id_) or self._asked(id_)
            if caps is not None:
                found[id_] = caps
        self._caps = found
        self._looked_at = self._clock()

    def _asked(self, id_: str) -> Caps | None:
        detail = self._engine.inspect(id_)
        return Caps(detail.cpus, detail.memory) if detail else None
