"""Faults that somebody makes on purpose: left alone until they are over, then undone.

Whoever made one undoes it himself, if he lives to see its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobctl.chaos.beside import orphans
from jobctl.chaos.fault import LiveFault
from jobctl.chaos.records import carrier
from jobctl.chaos.turns import is_abandoned
from jobctl.chaos.undoing import undo
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.observed import Observed
from jobctl.control.place import Place
from jobctl.control.releases import Say
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine

_MAKERS_TURN = 1.0
"""Seconds after its deadline that whoever made a fault has to undo it."""

_AGAIN = 5.0
"""Seconds until what could not be undone is tried again."""


class Faults:
    """Sees to the live faults of one cluster. For the controller's loop alone.

    ``wake`` is called when one was undone: what it kept the controller from can be done now.
    """

    def __init__(
        self,
        engine: Engine,
        place: Place,
        say: Say,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._place = place
        self._say = say
        self._clock = clock
        self._wake = wake
        self._told: frozenset[str] = frozenset()
        self._not_before: dict[str, float] = {}
        self._undoing: threading.Thread | None = None
        self.left_alone: frozenset[str] = frozenset()
        """The instances under a fault: nobody mends, restarts or judges them."""
        self.pause = float("inf")
        """In how many seconds (s) there is something to undo."""

    def look(self, seen: Observed) -> None:
        """See what is alive, and begin to undo what is over."""
        held = seen.containers.get(carrier(seen.project))
        if held is not None and is_abandoned(held):
            self._engine.remove(held.id, force=True)  # its maker died over it
        found = self._place.faults(self._engine, seen)
        for row in orphans(seen.containers.values(), {live.id for live in found}):
            self._engine.remove(row.id, force=True)
        self.left_alone = frozenset(live.instance for live in found if live.instance)
        for live in found:
            if live.id not in self._told:
                self._say("fault", kind=live.kind, instance=live.instance, until=live.deadline)
        self._told = frozenset(live.id for live in found)
        now = self._clock()
        due = {live.id: self._due(live) for live in found}
        over = [live for live in found if due[live.id] <= now]
        later = [at - now for at in due.values() if at > now]
        self.pause = min(later, default=float("inf"))
        if over and not (self._undoing and self._undoing.is_alive()):
            self._undoing = threading.Thread(
                target=self._undo, args=(over,), name="undo-faults", daemon=True
            )
            self._undoing.start()

    def _due(self, live: LiveFault) -> float:
        return max(live.deadline + _MAKERS_TURN, self._not_before.get(live.id, 0.0))

    def _undo(self, over: list[LiveFault]) -> None:
        """In a thread: to make a container anew takes its time."""
        engine = self._engine.clone()
        try:
            for live in over:
                try:
                    undo(engine, self._place.project, live)
                except (EngineError, ClusterError) as error:
                    self._not_before[live.id] = self._clock() + _AGAIN
                    self._say("fault-not-undone", instance=live.instance, reason=str(error))
                else:
                    self._say("fault-undone", kind=live.kind, instance=live.instance)
        finally:
            engine.close()
            self._wake()
