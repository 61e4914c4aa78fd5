"""Makes and undoes the faults of a drill in a real cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from jobctl.chaos.drills.fault_plan import DueFault
from jobctl.chaos.fault import Allowed, Instant, LiveFault
from jobctl.chaos.inject import inject, prepare, undo
from jobctl.cluster.errors import ClusterError
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine


class InCluster:
    """Makes faults in a real cluster; each call has an engine client of its own."""

    def __init__(self, engine: Engine, project: str, allowed: Allowed) -> None:
        self._engine = engine
        self._project = project
        self._allowed = allowed

    def prepare(self, faults: Iterable[DueFault]) -> None:
        """Build the images that faults are made with, as one may take a minute.

        Made when the fault is due, that would hold up all those that come after it. What cannot
        be had now is told when its fault is made.
        """
        kinds = {(due.fault.kind, due.fault.params.get("from")): due.fault for due in faults}
        with self._own() as engine:
            for fault in kinds.values():
                with suppress(EngineError, ClusterError):
                    prepare(engine, self._project, fault)

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
