"""The loop beside the cluster: look, decide, act. Whatever it misses it finds at the next look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from jobctl.cluster import labels
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event
from jobctl.cluster.executor import Executor
from jobctl.cluster.observed import Observed
from jobctl.cluster.plan_heal import plan_heal
from jobctl.config import Config
from jobctl.control.drift import Drift
from jobctl.control.feed import Feed
from jobctl.control.place import Place
from jobctl.control.releases import Releases, Say
from jobctl.engine.errors import Conflict, EngineError, NotFound
from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import Engine
from jobctl.queue import QueueError

_TOLD_TO_END = 15
"""SIGTERM through the engine is somebody's order; a container that got it did not just die."""

_SOON = 0.05
"""Seconds until the next look when somebody else is at work, or the engine about to say more."""

_LAG = 2.0
"""Seconds for which the engine may list a container as running that it said had died."""


@dataclass
class Knowledge:
    """What rounds leave for the next one. ``died`` are instances that ended by themselves, and when
    (s of the controller's clock) that was heard."""

    drift: Drift = field(default_factory=Drift)
    died: dict[str, float] = field(default_factory=dict)
    looked: bool = False


class Controller:
    """Keeps one cluster as its spec says, until `stop`."""

    def __init__(
        self,
        engine: Engine,
        place: Place,
        say: Say,
        *,
        alive: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._place = place
        self._say = say
        self._alive = alive
        self._clock = clock
        self._stopped = False
        self._wake = threading.Event()
        self._seen = Observed(place.project)
        self._wanted: tuple[int, Desired, Config] | None = None
        self._known = Knowledge()
        self._lock = threading.Lock()
        self._signals: dict[str, int | None] = {}
        self._releases = Releases(lambda: place.queue(self._seen), say)
        self._feed = Feed(engine, place.project, connected=self._connected, heard=self._heard)

    def stop(self) -> None:
        """End `run` after the round it is in. Safe from a signal handler and any thread."""
        self._stopped = True
        self._wake.set()

    def run(self) -> None:
        """Go round until `stop`: at every event, and at least every ``controller.interval``."""
        self._feed.start()
        try:
            while not self._stopped:
                self._wake.clear()
                pause = self._round()
                self._alive()
                self._wake.wait(pause)
        finally:
            self._feed.stop()

    # -- events, in the feed's thread

    def _connected(self) -> None:
        with self._lock:
            self._known.looked = False  # what happened meanwhile nobody told
        self._wake.set()

    def _heard(self, event: EngineEvent) -> None:
        self._releases.heard(event)
        name = event.labels.get(labels.INSTANCE)
        if event.kind != "container" or name is None:
            return
        with self._lock:
            if event.action == "kill":
                self._signals[name] = event.signal
            elif event.action == "start":
                self._signals.pop(name, None)
                self._known.died.pop(name, None)
            elif event.action == "die" and self._signals.pop(name, None) != _TOLD_TO_END:
                self._known.died[name] = self._clock()
        if event.action in ("die", "destroy", "start", "pause", "unpause"):
            self._wake.set()

    # -- a round

    def _round(self) -> float:
        """Look, decide, act; return in how many seconds to look again if nothing happens."""
        try:
            self._seen = seen = self._place.look(self._engine, ask=False)
            self._see_to_jobs(seen)
            return self._mend(seen)
        except (Conflict, NotFound) as error:
            self._say("look-again", reason=str(error))
            return _SOON
        except (EngineError, ClusterError) as error:
            self._say("not-done", reason=str(error), hint=error.hint)
            return self._interval
        except OSError as error:
            self._say("not-done", reason=str(error))
            return self._interval

    def _see_to_jobs(self, seen: Observed) -> None:
        """Release what dead workers hold, if some of their ends may have gone unheard."""
        self._releases.settle()
        with self._lock:
            looked, self._known.looked = self._known.looked, True
        if looked:
            return
        queue = self._place.queue(seen)
        if queue is None:
            return
        try:
            self._releases.look(seen, queue.workers(), self._engine.inspect)
        except QueueError as error:
            self._say("not-looked", reason=str(error))
            with self._lock:
                self._known.looked = False
        finally:
            queue.close()

    def _mend(self, seen: Observed) -> float:
        wanted = self._desired(seen)
        if wanted is None:
            return self._interval
        if seen.seed is not None and not seen.seed_abandoned:
            return _SOON  # somebody writes another spec
        if any(len(seen.pool(name)) > pool.replicas for name, pool in wanted.pools.items()):
            # Which of them go depends on what they do.
            seen = self._place.look(self._engine, ask=True)
        now = self._clock()
        with self._lock:
            died = dict(self._known.died)
        off = {a.subject for a in plan_heal(wanted, seen).actions if a.kind == "container"}
        self._known.drift = drift = self._known.drift.after(off, now)
        plan = plan_heal(wanted, seen, drift.young(died, now))
        Executor(seen.project, self._engine, seen.connection, self._tell).execute(plan)
        if any(now - at < _LAG for name, at in died.items() if name not in off):
            return _SOON
        due = drift.due(died) if off else None
        return self._interval if due is None else max(0.0, min(self._interval, due - now))

    def _desired(self, seen: Observed) -> Desired | None:
        generation = seen.generation
        if generation is None:
            return None
        if self._wanted is None or self._wanted[0] != generation.number:
            config = Config.model_validate(generation.spec.config)
            files = (labels.file_of(row.labels) for row in seen.containers.values())
            file = next((path for path in files if path), "")
            self._wanted = (generation.number, desired(generation.spec, config, file), config)
        return self._wanted[1]

    @property
    def _interval(self) -> float:
        return self._wanted[2].controller.interval if self._wanted else 1.0

    def _tell(self, event: Event) -> None:
        self._say("action", subject=event.subject, text=event.text, state=event.state)
