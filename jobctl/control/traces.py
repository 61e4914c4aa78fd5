"""What the engine told of a container on its way to its end, and who had ordered that end.

One memory for all that ask why a container ended: the release of its jobs, healing, incidents.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from signal import SIGTERM

from jobctl.cluster import labels
from jobctl.control.deaths import Evidence, Orderer
from jobctl.engine.model import ContainerDetail, EngineEvent

_FRESH = 5.0
"""Seconds before its end in which an `oom` of a container says why it ended."""


@dataclass(frozen=True)
class Ended:
    """A container of ours ended: its id, what people call it, when (s), and what was seen.

    ``pool`` is "" for everything that runs no jobs.
    """

    container: str
    instance: str
    pool: str
    at: float
    evidence: Evidence

    @property
    def was_ordered(self) -> bool:
        """Whether it is no death: the cluster, or somebody by SIGTERM, told it to end."""
        return self.evidence.ordered_by is not None


@dataclass
class _Trace:
    """What was told of one container since its start. Times are the engine's."""

    oom_at: float | None = None
    signal: int | None = None
    ordered_by: Orderer | None = None


@dataclass
class Traces:
    """Remembers, by the containers' ids. Safe from any thread."""

    _traces: dict[str, _Trace] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ordered(self, container: str, by: Orderer) -> None:
        """Remember that the cluster itself is about to end a container."""
        with self._lock:
            self._trace(container).ordered_by = by

    def heard(self, event: EngineEvent) -> Ended | None:
        """Take an event, each one once; return the end of a container, if it tells of one."""
        if event.kind != "container":
            return None
        with self._lock:
            if event.action == "oom":
                self._trace(event.id).oom_at = event.time
            elif event.action == "kill":
                self._signalled(event)
            elif event.action in ("start", "destroy"):
                self._traces.pop(event.id, None)
            elif event.action == "die":
                return _ended(event, self._traces.pop(event.id, _Trace()))
        return None

    def evidence(self, detail: ContainerDetail, *, worker: bool = True) -> Evidence:
        """Return what is known of a container that ended unheard: the end itself is inspect's."""
        with self._lock:
            trace = self._traces.get(detail.id, _Trace())
        return Evidence(
            exit_code=detail.exit_code,
            oom_killed=detail.oom_killed,
            oom_event=_fresh(trace, detail.finished_at),
            ordered_by=trace.ordered_by,
            signal=trace.signal,
            worker=worker,
        )

    def _signalled(self, event: EngineEvent) -> None:
        trace = self._trace(event.id)
        trace.signal = event.signal
        # The engine's SIGKILL, when the time to end is over, is of the same order.
        if event.signal == SIGTERM and trace.ordered_by is None:
            trace.ordered_by = Orderer.STOP

    def _trace(self, container: str) -> _Trace:
        return self._traces.setdefault(container, _Trace())


def _ended(event: EngineEvent, trace: _Trace) -> Ended:
    pool = event.labels.get(labels.POOL, "")
    return Ended(
        container=event.id,
        instance=event.labels.get(labels.INSTANCE, event.name),
        pool=pool,
        at=event.time,
        evidence=Evidence(
            exit_code=event.exit_code,
            oom_event=_fresh(trace, event.time),
            ordered_by=trace.ordered_by,
            signal=trace.signal,
            worker=bool(pool),
        ),
    )


def _fresh(trace: _Trace, end: float) -> bool:
    # An older one was of a job's process, and the container lived on.
    return trace.oom_at is not None and end - trace.oom_at < _FRESH
