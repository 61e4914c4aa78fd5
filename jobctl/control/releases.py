"""Proof of death: a worker whose container ended holds no jobs from that moment on.

An event of the engine is enough, and nothing else is: not a pause, not a missed health check, not
silence. Whatever could not be told to Redis is told when it answers again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from jobctl.control.deaths import Death, Evidence, cause_of
from jobctl.control.traces import Ended, Traces
from jobctl.engine.model import ContainerDetail
from jobctl.queue import Cause, Queue, QueueError, Worker

SHORT_ID = 12
_HANDED_OVER = 60_000
"""Milliseconds for which one that stands by remembers deaths: the other may just have died, too."""

Say = Callable[..., None]


@dataclass(frozen=True)
class _Due:
    """A release that Redis has yet to hear of."""

    container: str
    name: str
    before_ms: int
    death: Death


@dataclass
class Releases:
    """Releases what dead workers held. Safe from any thread."""

    queue: Callable[[], Queue | None]
    say: Say
    traces: Traces
    may_tell: Callable[[], bool]
    _due: list[_Due] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ended(self, end: Ended) -> None:
        """Take the end of a container; a worker's releases its jobs before this returns.

        While Redis is silent, or another controller acts, that is only noted.
        """
        if not end.pool:
            return
        death = cause_of(end.evidence)
        with self._lock:
            self._due.append(_Due(end.container, end.instance, _ms(end.at), death))
        if self.may_tell():
            self.settle()

    def forget(self) -> None:
        """Drop what another controller has surely told Redis by now."""
        with self._lock:
            newest = max((one.before_ms for one in self._due), default=0)
            self._due = [one for one in self._due if newest - one.before_ms < _HANDED_OVER]

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
        workers: list[Worker],
        inspect: Callable[[str], ContainerDetail | None],
    ) -> None:
        """Find deaths that no event told of, among the registered workers; then settle.

        Each is asked of the engine anew: one that was made since the last look is not in that.
        """
        for worker in workers:
            detail = inspect(worker.container)
            if detail is None:
                death = cause_of(Evidence(exit_code=None))
                self._note(_Due(worker.container, worker.name, _EVER, death))
            elif detail.state in ("exited", "dead"):
                death = cause_of(self.traces.evidence(detail))
                self._note(_Due(detail.id, worker.name, _ms(detail.finished_at), death))
            elif detail.started_at and worker.started_at < _ms(detail.started_at):
                # It ended and was started again: this process of it is gone.
                death = Death(Cause.WORKER_LOST, "its container was started again")
                self._note(_Due(detail.id, worker.name, _ms(detail.started_at), death))
        self.settle()

    def _note(self, due: _Due) -> None:
        with self._lock:
            if all(one.container[:SHORT_ID] != due.container[:SHORT_ID] for one in self._due):
                self._due.append(due)


_EVER = 2**53
"""Later than every registration (ms)."""


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
