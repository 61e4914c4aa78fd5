"""Makes the faults of a drill at their times, and undoes each when it is over."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from jobctl.chaos.drills.fault_plan import DueFault
from jobctl.chaos.drills.ledger import Writer
from jobctl.chaos.fault import Instant, LiveFault
from jobctl.cluster.errors import ClusterError
from jobctl.engine.errors import EngineError

_PAUSE = 1.0
# For how long one at random is tried again: then the next one is due, and it is left out.
_PATIENCE = 10.0


class Chaos(Protocol):
    """What makes and undoes faults in one cluster."""

    def inject(self, due: DueFault) -> LiveFault | Instant:
        """Make a fault; raises ClusterError and EngineError when it is refused."""
        ...

    def undo(self, live: LiveFault) -> None:
        """Undo a fault; raises ClusterError and EngineError when it could not be."""
        ...


class Faulting:
    """A thread that makes faults. Whatever ends it, `undo_all` undoes what is alive.

    One of the timeline that is refused is tried again for ``patience`` seconds, one at random for
    a little.
    """

    def __init__(
        self,
        chaos: Chaos,
        due: Sequence[DueFault],
        kept: Writer,
        say: Callable[[str], None],
        *,
        patience: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._chaos = chaos
        self._due = [(one.at, number, one) for number, one in enumerate(due)]
        self._count = len(due)
        self._kept = kept
        self._say = say
        self._patience = patience
        self._clock = clock
        self._live: dict[str, tuple[LiveFault, float]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)
        self._began = 0.0
        self.made = 0
        self.over = 0.0
        """When the last fault was over."""

    def start(self, began: float) -> None:
        """Begin; ``began`` is the instant from which the faults' times count."""
        self._began = began
        self._thread.start()

    def stop(self) -> None:
        """Make no more; the one that is being made is made to its end."""
        self._stopped.set()

    def join(self, within: float) -> bool:
        """Wait until all faults were made and are over; False when they are not."""
        if self._thread.ident is not None:  # it was started
            self._thread.join(max(0.0, within))
        return not self._thread.is_alive()

    @property
    def alive(self) -> tuple[LiveFault, ...]:
        """The faults that were made and are not undone."""
        return tuple(live for live, _ in list(self._live.values()))

    def undo_all(self) -> list[str]:
        """Undo whatever is alive; return what could not be undone, in words."""
        failed = []
        for live, began in list(self._live.values()):
            try:
                self._undo(live, began)
            except (ClusterError, EngineError) as error:
                failed.append(f"{live.kind} of {live.instance} could not be undone: {error}")
        return failed

    def _run(self) -> None:
        try:
            self._go_on()
        except Exception as error:  # noqa: BLE001 - told in the verdict: it proves nothing then
            now = self._clock()
            self._note("drill", "", now, now, f"{type(error).__name__}: {error}")

    def _go_on(self) -> None:
        heapq.heapify(self._due)
        while not self._stopped.is_set():
            nexts = [self._began + self._due[0][0]] if self._due else []
            nexts += (live.deadline for live, _ in self._live.values())
            if not nexts:
                return
            if (wait := min(nexts) - self._clock()) > 0:
                self._stopped.wait(wait)
                continue
            self._undo_those_over()
            if self._stopped.is_set():
                return  # meanwhile, for an engine may take its time
            if self._due and self._began + self._due[0][0] <= self._clock():
                self._make(heapq.heappop(self._due)[2])

    def _undo_those_over(self) -> None:
        for live, began in list(self._live.values()):
            if live.deadline <= self._clock():
                try:
                    self._undo(live, began)
                except (ClusterError, EngineError) as error:
                    # The engine may be busy, or be restarted: it is tried until it works.
                    self._say(f"{live.kind} of {live.instance} is not undone yet: {error}")
                    self._stopped.wait(_PAUSE)

    def _undo(self, live: LiveFault, began: float) -> None:
        self._chaos.undo(live)
        if self._live.pop(live.id, None) is not None:
            self._note(str(live.kind), live.instance, began, self._clock())
            self._say(f"{live.kind} of {live.instance} is over")

    def _make(self, due: DueFault) -> None:
        fault, since = due.fault, self._clock()
        try:
            made = self._chaos.inject(due)
        except (ClusterError, EngineError) as error:
            patience = _PATIENCE if due.drawn else self._patience
            if since < self._began + due.at + patience:
                # Perhaps an earlier one is not quite over, or what it ended is not back yet.
                again = since + _PAUSE - self._began
                self._count += 1
                heapq.heappush(self._due, (again, self._count, due))
            elif due.drawn:
                self._say(f"{fault.kind} is left out: {error}")
            else:
                self._note(str(fault.kind), fault.target or "", since, since, str(error))
                self._say(f"{fault.kind} could not be made: {error}")
            return
        self.made += 1
        self._say(f"{made.kind} of {made.instance}" if made.instance else str(made.kind))
        if isinstance(made, LiveFault):
            self._live[made.id] = (made, made.made_at)
        else:
            self._note(str(made.kind), made.instance, made.begun, made.at)

    def _note(
        self, kind: str, instance: str, began: float, ended: float, problem: str = ""
    ) -> None:
        self.over = max(self.over, ended)
        row = {"kind": kind, "instance": instance, "began": began, "ended": ended}
        self._kept.write([{**row, "problem": problem}])
