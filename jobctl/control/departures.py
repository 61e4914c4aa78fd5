"""Letting workers go without cutting a job: drained, watched, and removed when they hold none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable

from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event
from jobctl.cluster.executor import Executor
from jobctl.cluster.observed import Observed, instance_of
from jobctl.cluster.plan_depart import plan_depart
from jobctl.control.deaths import Orderer
from jobctl.control.departing import AWAY, Moves, moves
from jobctl.control.releases import SHORT_ID, Say
from jobctl.engine.errors import EngineError
from jobctl.engine.model import Container
from jobctl.engine.protocol import Engine
from jobctl.queue import Queue, UnknownWorker, Worker

_NOBODYS = 120.0
"""Seconds after which a drain is nobody's any more: an `up` or a controller died over it."""

_STRANDED = 10.0
"""Seconds without running after which a worker is not brought back only to be drained."""

_NOT_RUNNING = ("created", "exited", "dead")


class Departures:
    """Who of the autoscaled pools is on the way out. For the controller's loop alone.

    ``ordered`` is told of each container (its id) before it is ended.
    """

    def __init__(
        self,
        engine: Engine,
        project: str,
        say: Say,
        ordered: Callable[[str, Orderer], None],
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._project = project
        self._say = say
        self._ordered = ordered
        self._clock = clock
        self._away_since: dict[str, dict[str, float]] = {}
        self._down_since: dict[str, dict[str, float]] = {}
        self._told: frozenset[str] = frozenset()
        self._away: dict[str, frozenset[str]] = {}
        self._removing: dict[str, str] = {}
        self._failed: list[str] = []
        self._lock = threading.Lock()

    def looked(self, seen: Observed) -> None:
        """Forget whose container is gone, or could not be removed."""
        there = {row.id for row in seen.workers}
        with self._lock:
            failed, self._failed = set(self._failed), []
        kept = {i: name for i, name in self._removing.items() if i in there and i not in failed}
        self._removing = kept  # a new one each time: others read it meanwhile

    @property
    def removing(self) -> frozenset[str]:
        """The instances whose containers are being removed: nobody is to start them."""
        return frozenset(self._removing.values())

    @property
    def removing_ids(self) -> frozenset[str]:
        """The ids of their containers. Safe from any thread."""
        return frozenset(self._removing)

    def available(self, rows: Iterable[Container]) -> int:
        """Return how many workers a pool has, or can have back without making any."""
        return sum(1 for row in rows if row.id not in self._removing)

    def due(self, containers: Collection[str], workers: Iterable[Worker], replicas: int) -> bool:
        """Tell whether `see_to` would do anything. Safe from any thread."""
        mine = [worker for worker in workers if worker.container in containers]
        return moves(mine, replicas, self._told) != Moves()

    def see_to(
        self,
        pool: str,
        rows: Iterable[Container],
        workers: Collection[Worker],
        replicas: int,
        queue: Queue,
    ) -> None:
        """Drain, take back and remove, so that so many workers of a pool take jobs.

        Raises QueueError.
        """
        running = {r.id[:SHORT_ID]: r for r in rows if r.id not in self._removing}
        mine = [worker for worker in workers if worker.container in running]
        self._told &= {worker.incarnation for worker in workers}
        self._adopt(pool, mine)
        found = moves(mine, replicas, self._told)
        self._tell(mine, found, queue)
        self._away[pool] = frozenset(
            w.container
            for w in mine
            if w.name in found.drain or (w.status in AWAY and w.name not in found.undrain)
        )
        self.remove([running[w.container] for w in mine if w.name in found.remove], "it is drained")

    def remove_stranded(self, pool: str, rows: Iterable[Container], replicas: int) -> None:
        """Remove those that are too many and that nobody could bring back for a while."""
        away, now = self._away.get(pool, frozenset()), self._clock()
        rest = [row for row in rows if row.id not in self._removing]
        staying = [row for row in rest if row.id[:SHORT_ID] not in away]
        before = self._down_since.get(pool, {})
        down = {row.id: before.get(row.id, now) for row in staying if row.state in _NOT_RUNNING}
        self._down_since[pool] = down
        late = [row for row in staying if now - down.get(row.id, now) >= _STRANDED]
        # Without force: one that was brought back after all is drained like any other.
        self.remove(late[: max(0, len(staying) - replicas)], "the pool needs fewer workers")

    def remove(self, rows: Iterable[Container], cause: str) -> None:
        """Remove containers that run no jobs, in a thread: to stop takes its time."""
        found = list(rows)
        if not found:
            return
        self._removing = {**self._removing, **{row.id: instance_of(row) for row in found}}
        for row in found:
            self._ordered(row.id, Orderer.SCALE_DOWN)
        engine = self._engine.clone()

        def run() -> None:
            executor = Executor(self._project, engine, None, self._told_of)
            try:
                executor.execute(plan_depart(found, cause))
            except (EngineError, ClusterError) as error:
                self._say("not-done", reason=str(error))
                with self._lock:
                    self._failed += [row.id for row in found]
            finally:
                engine.close()

        threading.Thread(target=run, name="depart", daemon=True).start()

    def _adopt(self, pool: str, workers: Iterable[Worker]) -> None:
        """Take over those who have been on the way out for so long that nobody else sees to it."""
        now, before = self._clock(), self._away_since.get(pool, {})
        since = {w.incarnation: before.get(w.incarnation, now) for w in workers if w.status in AWAY}
        self._away_since[pool] = since
        self._told |= {name for name, at in since.items() if now - at >= _NOBODYS}

    def _tell(self, workers: Iterable[Worker], found: Moves, queue: Queue) -> None:
        by_name = {worker.name: worker for worker in workers}
        for name in (*found.drain, *found.undrain):
            drains = name in found.drain
            try:
                if drains:
                    queue.drain(name, None)
                    self._told |= {by_name[name].incarnation}
                else:
                    queue.undrain(name)
                    self._told -= {by_name[name].incarnation}
            except UnknownWorker:
                continue  # it went by itself
            self._say("drain" if drains else "undrain", worker=name)

    def _told_of(self, event: Event) -> None:
        self._say("action", subject=event.subject, text=event.text, state=event.state)
