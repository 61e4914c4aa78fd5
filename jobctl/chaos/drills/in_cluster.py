"""Makes and undoes the faults of a drill in a real cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from jobctl.chaos.drills.fault_plan import DueFault
from jobctl.chaos.fault import Allowed, FaultKind, Instant, LiveFault
from jobctl.chaos.inject import inject, prepare, undo
from jobctl.cluster.errors import ClusterError
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine

_REMOVING = (FaultKind.REMOVE_CONTAINER, FaultKind.WRONG_CLOCK, FaultKind.KILL_COMMAND)
"""Faults that remove containers, as they are made or as they are undone."""


class InCluster:
    """Makes faults in a real cluster; each call has an engine client of its own."""

    def __init__(
        self,
        engine: Engine,
        project: str,
        allowed: Allowed,
        before_removal: Callable[[Engine], None] = lambda _engine: None,
    ) -> None:
        """``before_removal`` is called before a container is removed: its log goes with it."""
        self._engine = engine
        self._project = project
        self._allowed = allowed
        self._before_removal = before_removal

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
            self._about_to(engine, due.fault.kind)
            return inject(engine, self._project, due.fault, rng=due.dice, allowed=self._allowed)

    def undo(self, live: LiveFault) -> None:
        """Undo a fault."""
        with self._own() as engine:
            self._about_to(engine, live.kind)
            undo(engine, self._project, live)

    def _about_to(self, engine: Engine, kind: FaultKind) -> None:
        if kind in _REMOVING:
            with suppress(EngineError):  # what was printed is worth no fault
                self._before_removal(engine)

    @contextmanager
    def _own(self) -> Iterator[Engine]:
        engine = self._engine.clone()
        try:
            yield engine
        finally:
            engine.close()
