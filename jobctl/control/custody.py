"""Who keeps the jobs of workers that are alive but late: patience, as far as the engine vouches."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobctl.cluster import labels
from jobctl.cluster.observed import Observed
from jobctl.config import Config
from jobctl.control import patience
from jobctl.control.patience import Sample, State, Suspect
from jobctl.control.releases import SHORT_ID, Say
from jobctl.engine.errors import EngineError
from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import Engine
from jobctl.queue import Queue, Worker


class Custody:
    """Extends the leases of the paused and the throttled. `heard` comes from another thread."""

    def __init__(self, engine: Engine, say: Say, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._paused: dict[str, float] = {}
        self._state = State()

    def heard(self, event: EngineEvent) -> None:
        """Take an event: only from it is known since when a container is paused."""
        if event.kind != "container" or labels.POOL not in event.labels:
            return
        with self._lock:
            if event.action == "pause":
                self._paused[event.id] = event.time
            elif event.action in ("unpause", "die"):
                self._paused.pop(event.id, None)

    def keep(self, seen: Observed, queue: Queue, workers: list[Worker], config: Config) -> None:
        """Extend what is due. Times are of the host's clock, which is Redis' too."""
        now = self._clock()
        rows = {row.id[:SHORT_ID]: row for row in seen.workers}
        suspects = []
        for worker in workers:
            row = rows.get(worker.container)
            heartbeat = worker.heartbeat_at / 1000
            if row is None or row.state not in ("running", "paused"):
                continue
            paused = row.state == "paused"
            late = now - heartbeat > 2 * config.heartbeat
            with self._lock:
                since = self._paused.get(row.id)
            if paused and since is not None:
                self._set_aside(queue, worker, since)
            suspects.append(
                Suspect(
                    worker.incarnation,
                    heartbeat,
                    paused=paused,
                    paused_since=since,
                    sample=self._sample(row.id) if late and not paused else None,
                )
            )
        self._state, extensions = patience.decide(
            self._state, suspects, now, config.controller.patience, 2 * config.heartbeat
        )
        names = {worker.incarnation: worker.name for worker in workers}
        for extension in extensions:
            queue.extend_lease(extension.incarnation, int(extension.until * 1000))
            self._say(
                "lease-extended",
                worker=names[extension.incarnation],
                until=extension.until,
                why=extension.why,
            )

    def _set_aside(self, queue: Queue, worker: Worker, since: float) -> None:
        """Let nothing be handed to who cannot take it, and what was before this look run elsewhere.

        Each time: one that was continued and paused again between two looks waits again.
        """
        jobs = queue.set_aside(worker.container, int(since * 1000))
        if jobs:
            self._say("set-aside", worker=worker.name, jobs=jobs)

    def _sample(self, container: str) -> Sample | None:
        try:
            stats = self._engine.stats(container)
        except EngineError:
            return None  # an engine that is slow is no reason to forget all the others
        return Sample(stats.periods, stats.throttled_periods) if stats else None
