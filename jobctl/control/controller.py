"""The loop beside the cluster: look, decide, act. Whatever it misses it finds at the next look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jobctl.cluster.desired import Desired, with_replicas
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.observed import Observed
from jobctl.config import Config
from jobctl.control import state
from jobctl.control.autoscaling import Autoscaler
from jobctl.control.custody import Custody
from jobctl.control.deaths import cause_of
from jobctl.control.faults import Faults
from jobctl.control.feed import Feed
from jobctl.control.gauges import Gauging
from jobctl.control.guard import Guard
from jobctl.control.mending import Mender
from jobctl.control.place import Place
from jobctl.control.releases import Releases, Say
from jobctl.control.state import StateFile
from jobctl.control.traces import Traces
from jobctl.control.troubles import Troubles
from jobctl.control.watching import Watching
from jobctl.control.wishes import Wanted, Wishes
from jobctl.engine.errors import Conflict, EngineError, NotFound
from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import Engine
from jobctl.queue import QueueError

_SOON = 0.05
"""Seconds until the next look when somebody else is at work."""

_AT_ONCE = ("die", "destroy", "start", "pause", "unpause")


class Controller:
    """Keeps one cluster as its spec says, until `stop`; or stands by while another one does.

    It ends itself when it has not reached the engine for ``leave_after`` seconds.
    """

    def __init__(
        self,
        engine: Engine,
        place: Place,
        say: Say,
        *,
        alive: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
        leave_after: float = float("inf"),
    ) -> None:
        self._engine = engine
        self._place = place
        self._alive = alive
        self._leave_after = leave_after
        self._last_seen = time.monotonic()
        self._stopped = False
        self._wake = threading.Event()
        self._seen = Observed(place.project)
        self._unheard = threading.Event()  # deaths may have gone unheard
        self._acted = False
        self._troubles = Troubles(say, clock)
        self._wishes = Wishes(self._troubles)
        self._file = StateFile(place.folder, place.project, place.holder, clock)
        self._guard = Guard(
            place.holder,
            lambda: place.queue(self._seen),
            self._file.is_anothers,
            say,
            self._wake.set,
        )
        self._traces = Traces()
        self._releases = Releases(
            lambda: place.queue(self._seen), say, self._traces, lambda: self._guard.holds
        )
        self._mender = Mender(engine, self._traces, say, clock)
        self._custody = Custody(engine, say, clock)
        self._faults = Faults(engine, place, say, clock, self._wake.set)
        self._scaler = Autoscaler(
            engine,
            place,
            say,
            acts=lambda: self._guard.holds,
            wake=self._wake.set,
            ordered=self._traces.ordered,
        )
        self._gauging = Gauging(engine, place, say, acts=lambda: self._guard.holds)
        self._watching = Watching(engine, place, say, ordered=self._traces.ordered, clock=clock)
        self._feed = Feed(
            engine,
            place.project,
            self._troubles,
            last=known.heard if (known := state.read(place.folder)) else 0.0,
            connected=self._connected,
            heard=self._heard,
        )

    def stop(self) -> None:
        """End `run` after the round it is in. Safe from a signal handler and any thread."""
        self._stopped = True
        self._wake.set()

    def run(self) -> None:
        """Go round until `stop`: at every event, and at least every ``controller.interval``."""
        if (seen := self._look()) is not None:
            self._guard.looked(seen)
        self._guard.start()
        self._watching.start()
        self._scaler.start()
        self._gauging.start()
        self._feed.start()
        try:
            while not self._stopped:
                self._wake.clear()
                pause = self._wishes.interval
                with self._troubles.within("round"):
                    pause = self._round()
                self._alive()
                self._wake.wait(pause)
        finally:
            self._feed.stop()
            self._watching.stop()
            self._scaler.stop()
            self._gauging.stop()
            self._guard.stop()

    # -- events, in the feed's thread

    def _connected(self) -> None:
        self._unheard.set()
        self._wake.set()

    def _heard(self, event: EngineEvent) -> None:
        with self._troubles.within("event"):
            self._take(event)
        if event.action in _AT_ONCE:
            self._wake.set()

    def _take(self, event: EngineEvent) -> None:
        end = self._traces.heard(event)
        if end is not None:
            # First the jobs: everything else can wait for the next round.
            with self._troubles.within("release"):
                self._releases.ended(end)
        self._guard.heard(event)
        death = None if end is None or end.was_ordered else cause_of(end.evidence)
        # Before the mender: the watchdog is to know of a death whenever it is told what follows.
        self._watching.heard(event, death)
        self._mender.heard(event, end)
        self._custody.heard(event)

    # -- a round

    def _round(self) -> float:
        """Look, decide, act; return in how many seconds to look again if nothing happens."""
        seen = self._look()
        if seen is None:
            if self._guard.acts:
                self._write()
            return self._wishes.interval
        self._guard.looked(seen)
        wanted = self._wishes.read(seen)
        acts = self._guard.acts
        if acts and not self._acted:
            self._begin_to_act()
        self._acted = acts
        return self._act(seen, wanted) if acts else self._stand_by(seen, wanted)

    def _look(self) -> Observed | None:
        try:
            self._seen = self._place.look(self._engine, ask=False)
        except (EngineError, ClusterError, OSError) as error:
            self._troubles.has("not-seen", str(error), getattr(error, "hint", ""))
            if time.monotonic() - self._last_seen > self._leave_after:
                self._troubles.has(
                    "leaves", "A new start may reach the engine where this one cannot."
                )
                self._stopped = True
            return None
        self._last_seen = time.monotonic()
        self._troubles.over("not-seen")
        return self._seen

    def _begin_to_act(self) -> None:
        """Take up what the one before, or this one before its own end, had come to know."""
        self._unheard.set()
        known = state.read(self._place.folder)
        if known is not None:
            self._mender.recall(known.conditions)

    def _stand_by(self, seen: Observed, wanted: Wanted | None) -> float:
        self._releases.forget()
        self._watching.stand_by()
        self._scaler.stand_by()
        if wanted is not None:
            self._mender.follow(wanted[0], seen, wanted[1].healing)
        return self._wishes.interval

    def _act(self, seen: Observed, wanted: Wanted | None) -> float:
        # Redis first of all: nothing else is of use without it, and to ask it may take seconds.
        pause = self._wishes.interval
        locked = seen.seed is not None and not seen.seed_abandoned
        with self._troubles.within("faults"):
            self._faults.look(seen)
        if wanted is not None:
            self._gauging.looked(seen, wanted[1])
            scaled, fresh = self._scaled(seen, *wanted)
            with self._troubles.within("mending"):
                pause = _SOON if locked else self._mend(scaled, seen, wanted[1], fresh)
        with self._troubles.within("custody"):
            self._see_to_jobs(seen, locked)
        if wanted is not None:
            with self._troubles.within("watchdog"):
                self._watching.round(
                    seen,
                    *wanted,
                    locked=locked,
                    conditions=self._mender.conditions,
                    faulted=self._faults.left_alone,
                )
        self._write()
        return min(pause, self._faults.pause)

    def _scaled(
        self, seen: Observed, wanted: Desired, config: Config
    ) -> tuple[Desired, frozenset[str]]:
        """Return what is wanted with as many workers as the queue needs."""
        with self._troubles.within("autoscaler"):
            return self._scaler.wanted(wanted, seen, config)
        # Who is there stays, and what died comes back all the same.
        there = {name: len(seen.pool(name)) for name, p in config.workers.items() if p.autoscale}
        return with_replicas(wanted, there), frozenset()

    def _mend(
        self, wanted: Desired, seen: Observed, config: Config, fresh: frozenset[str]
    ) -> float:
        """Mend, and return when to look again. ``fresh`` are the instances to be made at once."""
        try:
            if any(len(seen.pool(name)) > pool.replicas for name, pool in wanted.pools.items()):
                # Which of them go depends on what they do.
                seen = self._place.look(self._engine, ask=True)
            others = self._watching.mending | self._scaler.removing | self._faults.left_alone
            more = self._mender.mend(wanted, seen, config.healing, others, fresh)
        except (Conflict, NotFound) as error:
            self._troubles.has("look-again", str(error))
            return _SOON
        except (EngineError, ClusterError, OSError) as error:
            self._troubles.has("not-done", str(error), getattr(error, "hint", ""))
            return self._wishes.interval
        self._troubles.over("look-again", "not-done")
        return self._wishes.interval if more is None else min(more, self._wishes.interval)

    def _see_to_jobs(self, seen: Observed, locked: bool) -> None:
        """Release what the dead hold, keep for the late what is theirs, let surplus workers go."""
        queue = self._place.queue(seen) if self._guard.holds else None
        if queue is None:
            self._unheard.set()
            if self._guard.silence:
                self._troubles.has("queue-silent", self._guard.silence)
            return
        self._releases.settle()
        try:
            workers = queue.workers()
            if self._unheard.is_set():
                self._unheard.clear()
                self._releases.look(workers, self._engine.inspect)
            if (config := self._wishes.config) is not None:
                self._custody.keep(seen, queue, workers, config)
            if not locked:
                self._scaler.see_to(seen, queue, workers)
        except QueueError as error:
            self._unheard.set()
            self._troubles.has("queue-silent", str(error), error.hint)
        else:
            self._troubles.over("queue-silent")
        finally:
            queue.close()

    def _write(self) -> None:
        conditions = (*self._troubles.conditions, *self._mender.conditions)
        try:
            pools, heard = self._scaler.states(), self._feed.last
            self._file.write(conditions, pools, self._wishes.interval, heard)
        except OSError as error:
            self._troubles.has("state-not-written", str(error), "docker system df")
        else:
            self._troubles.over("state-not-written")
