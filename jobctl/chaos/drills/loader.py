"""Submits the jobs of a drill as they are due, and writes down which ones were acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from jobctl.chaos.drills.ledger import Writer
from jobctl.chaos.drills.workload import DueJob
from jobctl.client.errors import ClientError, Full, RateLimited, Unavailable, Unreachable

_TICK = 0.05
_PAUSE = 0.2
_MOST = 200
# Of these it is not known whether the cluster has the jobs, or it just cannot take them now: they
# are sent again, which is the same as once.
_PASSING = (Unreachable, Unavailable, Full, RateLimited)


class Submits(Protocol):
    """What takes jobs: the client of the master."""

    def submit_many(self, specs: Iterable[Mapping[str, Any]]) -> list[str]:
        """Submit jobs; return their ids."""
        ...


class Loader:
    """Keeps the load on. A job counts as acknowledged when the answer to its submit was there."""

    def __init__(
        self,
        cluster: Submits,
        jobs: Iterator[DueJob],
        kept: Writer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cluster = cluster
        self._jobs = jobs
        self._kept = kept
        self._clock = clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._began = 0.0
        self.ids: list[str] = []
        """Jobs that were acknowledged."""
        self.sent: list[str] = []
        """Jobs that were sent, acknowledged or not."""
        self.problem: ClientError | None = None
        """What ended the load before its time: a job that the cluster refuses for good."""

    def start(self, began: float) -> None:
        """Put the load on; ``began`` is the instant from which the jobs' times count."""
        self._began = began
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped.set()

    def join(self, within: float) -> bool:
        """Wait until the load is over and all that was sent is answered; False when it is not."""
        if self._thread.ident is not None:  # it was started
            self._thread.join(max(0.0, within))
        return not self._thread.is_alive()

    def _run(self) -> None:
        waiting = next(self._jobs, None)
        try:
            while waiting is not None and not self._stopped.is_set():
                due: list[DueJob] = []
                now = self._clock() - self._began
                while waiting is not None and waiting.at <= now and len(due) < _MOST:
                    due.append(waiting)
                    waiting = next(self._jobs, None)
                if due:
                    self._send(due)
                else:
                    self._stopped.wait(_TICK)
        except ClientError as error:
            self.problem = error

    def _send(self, due: Sequence[DueJob]) -> None:
        sent = self._clock()
        self.sent += [job.id for job in due]
        while not self._stopped.is_set():
            try:
                self._cluster.submit_many([job.spec for job in due])
            except _PASSING:
                self._stopped.wait(_PAUSE)
                continue
            now = self._clock()
            self._kept.write(
                {"at": now, "job": job.id, "work": job.work, "sent": sent} for job in due
            )
            self.ids += [job.id for job in due]
            return
