"""Proof of death: a worker whose container ended holds no jobs from that moment on.

An event of the engine is enough, and nothing else is: not a pause, not a missed health check, not
silence. Whatever could not be told to Redis is told when it answers again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from jobctl.cluster import labels
from jobctl.cluster.observed import Observed, instance_of
from jobctl.control.deaths import Death, Evidence, Orderer, cause_of
from jobctl.engine.model import ContainerDetail, EngineEvent
from jobctl.queue import Cause, Queue, QueueError, Worker

SHORT_ID = 12
_FRESH = 5.0
"""Seconds before its end in which an `oom` of a container says why it ended."""

Say = Callable[..., None]


@dataclass
class _Trace:
    """What the engine told of a container since its start. Times are the engine's."""

    oom_at: float | None = None
    signal: int | None = None
    ordered_by: Orderer | None = None


@dataclass(frozen=True)
class _Due:
    """A release that Redis has yet to hear of."""

    container: str
    name: str
    before_ms: int
    death: Death


@dataclass
class Releases:
    """Remembers evidence, and releases what dead workers held. Safe from any thread."""

    queue: Callable[[], Queue | None]
    say: Say
    _traces: dict[str, _Trace] = field(default_factory=dict)
    _due: list[_Due] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ordered(self, container: str, by: Orderer) -> None:
        """Remember that the cluster itself is about to end a container."""
        with self._lock:
            self._trace(container).ordered_by = by

    def heard(self, event: EngineEvent) -> None:
        """Take an event; the end of a worker releases its jobs before this returns."""
        if event.kind != "container" or labels.POOL not in event.labels:
            return
        with self._lock:
            if event.action == "oom":
                self._trace(event.id).oom_at = event.time
            elif event.action == "kill":
                self._trace(event.id).signal = event.signal
            elif event.action in ("start", "destroy"):
                self._traces.pop(event.id, None)
            elif event.action == "die":
                self._died(event)
        if event.action == "die":
            self.settle()

    def settle(self) -> None:
        """Tell Redis of all deaths it has not heard of; what fails is due again."""
        with self._lock:
            due, self._due = self._due, []
        queue = self.queue() if due else None
        try:
            while due:
                one = due[0]
                if queue is None:
                    return
                released = queue.release_container(
                    one.container[:SHORT_ID], one.before_ms, one.death.cause, one.death.reason
                )
                del due[0]
                self.say(
                    "released",
                    worker=one.name,
                    jobs=released,
                    cause=one.death.cause,
                    reason=one.death.reason,
                )
        except QueueError as error:
            self.say("not-released", worker=due[0].name, reason=str(error))
        finally:
            if due:
                with self._lock:
                    self._due = [*due, *self._due]
            if queue is not None:
                queue.close()

    def look(
        self,
        seen: Observed,
        workers: list[Worker],
        inspect: Callable[[str], ContainerDetail | None],
    ) -> None:
        """Find deaths that no event told of, among the registered workers; then settle."""
        rows = {row.id[:SHORT_ID]: row for row in seen.workers}
        for worker in workers:
            row = rows.get(worker.container)
            detail = inspect(row.id) if row else None
            if row is None or detail is None:
                death = cause_of(Evidence(exit_code=None))
                self._note(_Due(worker.container, worker.name, _EVER, death))
            elif detail.state in ("exited", "dead"):
                self._note(_Due(row.id, instance_of(row), _ms(detail.finished_at), _told(detail)))
            elif detail.started_at and worker.started_at < _ms(detail.started_at):
                # It ended and was started again: this process of it is gone.
                death = Death(Cause.WORKER_LOST, "its container was started again")
                self._note(_Due(row.id, instance_of(row), _ms(detail.started_at), death))
        self.settle()

    def _trace(self, container: str) -> _Trace:
        return self._traces.setdefault(container, _Trace())

    def _died(self, event: EngineEvent) -> None:
        trace = self._traces.pop(event.id, None) or _Trace()
        fresh = trace.oom_at is not None and event.time - trace.oom_at < _FRESH
        death = cause_of(
            Evidence(
                exit_code=event.exit_code,
                oom_event=fresh,
                ordered_by=trace.ordered_by,
                signal=trace.signal,
            )
        )
        name = event.labels.get(labels.INSTANCE, event.name)
        self._due.append(_Due(event.id, name, _ms(event.time), death))

    def _note(self, due: _Due) -> None:
        with self._lock:
            if all(one.container[:SHORT_ID] != due.container[:SHORT_ID] for one in self._due):
                self._due.append(due)


_EVER = 2**53
"""Later than every registration (ms)."""


def _told(detail: ContainerDetail) -> Death:
    return cause_of(Evidence(exit_code=detail.exit_code, oom_killed=detail.oom_killed))


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
