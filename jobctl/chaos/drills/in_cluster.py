"""Makes and undoes the faults of a drill in a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jobctl.chaos.drills.fault_plan import DueFault
from jobctl.chaos.fault import Allowed, Instant, LiveFault
from jobctl.chaos.inject import inject, undo
from jobctl.engine.protocol import Engine


class InCluster:
    """Makes faults in a real cluster; each call has an engine client of its own."""

    def __init__(self, engine: Engine, project: str, allowed: Allowed) -> None:
        self._engine = engine
        self._project = project
        self._allowed = allowed

    def inject(self, due: DueFault) -> LiveFault | Instant:
        """Make a fault."""
        with self._own() as engine:
            return inject(engine, self._project, due.fault, rng=due.dice, allowed=self._allowed)

    def undo(self, live: LiveFault) -> None:
        """Undo a fault."""
        with self._own() as engine:
            undo(engine, self._project, live)

    @contextmanager
    def _own(self) -> Iterator[Engine]:
        engine = self._engine.clone()
        try:
            yield engine
        finally:
            engine.close()
