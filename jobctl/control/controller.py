"""The loop beside the cluster: look, decide, act. Whatever it misses it finds at the next look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jobctl.cluster import labels
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.observed import Observed
from jobctl.config import Config
from jobctl.control.custody import Custody
from jobctl.control.feed import Feed
from jobctl.control.mending import Mender
from jobctl.control.place import Place
from jobctl.control.releases import Releases, Say
from jobctl.control.traces import Traces
from jobctl.engine.errors import Conflict, EngineError, NotFound
from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import Engine
from jobctl.queue import QueueError

_SOON = 0.05
"""Seconds until the next look when somebody else is at work."""

_AT_ONCE = ("die", "destroy", "start", "pause", "unpause")


class Controller:
    """Keeps one cluster as its spec says, until `stop`."""

    def __init__(
        self,
        engine: Engine,
        place: Place,
        say: Say,
        *,
        alive: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._place = place
        self._say = say
        self._alive = alive
        self._stopped = False
        self._wake = threading.Event()
        self._seen = Observed(place.project)
        self._wanted: tuple[int, Desired, Config] | None = None
        self._unheard = threading.Event()  # deaths may have gone unheard
        self._traces = Traces()
        self._releases = Releases(lambda: place.queue(self._seen), say, self._traces)
        self._mender = Mender(engine, self._traces, say, clock)
        self._custody = Custody(engine, say, clock)
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
        self._unheard.set()
        self._wake.set()

    def _heard(self, event: EngineEvent) -> None:
        end = self._traces.heard(event)
        if end is not None:
            # First the jobs: everything else can wait for the next round.
            self._releases.ended(end)
        self._mender.heard(event, end)
        self._custody.heard(event)
        if event.action in _AT_ONCE:
            self._wake.set()

    # -- a round

    def _round(self) -> float:
        """Look, decide, act; return in how many seconds to look again if nothing happens."""
        try:
            self._seen = seen = self._place.look(self._engine, ask=False)
            wanted = self._desired(seen)
        except (EngineError, ClusterError, OSError, ValueError) as error:
            # ValueError: a spec that another version of jobctl wrote.
            self._say("not-seen", reason=str(error))
            return self._interval
        # Redis first of all: nothing else is of use without it, and to ask it may take seconds.
        pause = self._interval if wanted is None else self._tried(wanted[0], seen, wanted[1])
        self._see_to_jobs(seen)
        return pause

    def _tried(self, wanted: Desired, seen: Observed, config: Config) -> float:
        """Mend, and return when to look again."""
        try:
            return self._mend(wanted, seen, config)
        except (Conflict, NotFound) as error:
            self._say("look-again", reason=str(error))
            return _SOON
        except (EngineError, ClusterError) as error:
            self._say("not-done", reason=str(error), hint=error.hint)
            return self._interval
        except OSError as error:
            self._say("not-done", reason=str(error))
            return self._interval

    def _mend(self, wanted: Desired, seen: Observed, config: Config) -> float:
        if seen.seed is not None and not seen.seed_abandoned:
            return _SOON  # somebody writes another spec
        if any(len(seen.pool(name)) > pool.replicas for name, pool in wanted.pools.items()):
            # Which of them go depends on what they do.
            seen = self._place.look(self._engine, ask=True)
        more = self._mender.mend(wanted, seen, config.healing)
        return self._interval if more is None else min(more, self._interval)

    def _see_to_jobs(self, seen: Observed) -> None:
        """Release what the dead hold, and keep for the late what is theirs."""
        self._releases.settle()
        queue = self._place.queue(seen)
        if queue is None:
            return
        try:
            workers = queue.workers()
            if self._unheard.is_set():
                self._unheard.clear()
                self._releases.look(seen, workers, self._engine.inspect)
            if self._wanted is not None:
                self._custody.keep(seen, queue, workers, self._wanted[2])
        except QueueError as error:
            self._unheard.set()
            self._say("queue-silent", reason=str(error))
        finally:
            queue.close()

    def _desired(self, seen: Observed) -> tuple[Desired, Config] | None:
        generation = seen.generation
        if generation is None:
            return None
        if self._wanted is None or self._wanted[0] != generation.number:
            config = Config.model_validate(generation.spec.config)
            files = (labels.file_of(row.labels) for row in seen.containers.values())
            file = next((path for path in files if path), "")
            self._wanted = (generation.number, desired(generation.spec, config, file), config)
        return self._wanted[1:]

    @property
    def _interval(self) -> float:
        return self._wanted[2].controller.interval if self._wanted else 1.0
