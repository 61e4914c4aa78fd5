"""The heartbeat: keeps the worker's lease, and the worker known, whatever happens to Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from jobctl.queue import NewerSchema, QueueError, Superseded, Verdict, WorkerInfo

from .attempt import Attempt, Held
from .cause import Stop
from .journal import Journal
from .pauses import pauses
from .settings import Settings
from .workqueue import WorkQueue


class Leases:
    """One thread, apart from the jobs', so that a busy job never costs the lease.

    There is one lease for all that this process holds, so a heartbeat costs the same with
    one job or with hundreds. `untold` are the attempts that have ended and whose end is not
    acknowledged. `draining` is told what the queue says of it; `lost` that some jobs are
    another's now; `ended` once this process may not go on: another one has its name, or the
    data is too new for it.
    """

    def __init__(
        self,
        settings: Settings,
        queue: WorkQueue,
        held: Held,
        journal: Journal,
        *,
        untold: Callable[[], Sequence[Attempt]],
        drain_state: Callable[[], int],
        draining: Callable[[bool, int], None],
        lost: Callable[[], None],
        ended: Callable[[QueueError], None],
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._held = held
        self._journal = journal
        self._untold = untold
        self._drain_state = drain_state
        self._draining = draining
        self._lost = lost
        self._ended = ended
        self.registered = threading.Event()
        self._known = False
        self._nudge = threading.Event()
        self._closed = False

    def nudge(self) -> None:
        """Beats now: the queue seems not to know this worker."""
        self._nudge.set()

    def close(self) -> None:
        """Ends `run`."""
        self._closed = True
        self._nudge.set()

    def run(self) -> None:
        """Registers, then beats until closed."""
        waits = pauses()
        away_since: float | None = None
        while not self._closed:
            self._settings.paths.alive.touch()
            self._nudge.clear()
            try:
                self._beat()
                if away_since is not None:
                    away = round(time.monotonic() - away_since, 1)
                    self._journal("redis-back", away_seconds=away)
                    away_since = None
                if self._known:
                    waits = pauses()
                    self._nudge.wait(self._settings.heartbeat)
                    continue
            except (Superseded, NewerSchema) as error:
                self._ended(error)
                return
            except QueueError as error:
                if away_since is None:
                    self._journal("redis-away", reason=error)
                    away_since = time.monotonic()
            # Not on the nudge: claims that fail meanwhile must not make this faster.
            time.sleep(next(waits))

    def _beat(self) -> None:
        if not self._known:
            self._register()
        state = self._drain_state()
        held = self._held.all()
        renewal = self._queue.renew(self._settings.incarnation, [attempt.fence for attempt in held])
        self._known = renewal.known
        lost = [
            (attempt, verdict)
            for attempt, verdict in zip(held, renewal.verdicts, strict=True)
            if verdict is not Verdict.OK
        ]
        if lost:
            self._lose(lost)
        if renewal.known:
            self._draining(renewal.draining, state)

    def _register(self) -> None:
        said = self._settings
        info = WorkerInfo(
            said.name, said.pool, said.container, said.incarnation, said.concurrency, said.queues
        )
        self._queue.register(info)
        self._known = True
        self._journal("registered", worker=said.name, incarnation=said.incarnation)
        self.registered.set()

    def _lose(self, lost: Sequence[tuple[Attempt, Verdict]]) -> None:
        # What ended while the renewal was on its way is not lost: the queue may have taken its
        # end, or will say what it thinks of it.
        untold = {attempt.fence for attempt in self._untold()}
        for attempt, verdict in lost:
            if attempt.fence not in untold and self._held.find(*attempt.fence) is not None:
                self._journal("lease-lost", job=attempt.job.id, verdict=verdict)
                attempt.end(Stop.TAKEN_OVER, grace=0)
        self._lost()
