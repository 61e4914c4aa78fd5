"""The watchdog at work: checks, decides, mends, and keeps an incident of all that happens.

One thread decides. What may take long has others: each try of a probe, and for each container in
trouble what is done about it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

from jobctl.cluster.desired import Desired
from jobctl.cluster.observed import Observed
from jobctl.config import Config
from jobctl.control.deaths import Death, Orderer
from jobctl.control.healing import Condition
from jobctl.control.incident_book import Book
from jobctl.control.incidents import Incidents
from jobctl.control.place import Place
from jobctl.control.probes import Probing
from jobctl.control.probes_calls import Calls
from jobctl.control.releases import Say
from jobctl.control.watchdog import decide
from jobctl.control.watchdog_acts import Acts
from jobctl.control.watchdog_aftermath import Aftermath
from jobctl.control.watchdog_deaths import Deaths
from jobctl.control.watchdog_inherited import inherited
from jobctl.control.watchdog_model import Seen, State
from jobctl.control.watchdog_targets import (
    View,
    Way,
    counted,
    due,
    health_of,
    probes_of,
    targets_of,
)
from jobctl.control.webhook_posting import Posting
from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import Engine

_LONGEST = 60.0
"""Seconds that it sleeps at most; whatever happens wakes it."""

_AFTER_FAILURE = 1.0


class Watching:
    """Watches one cluster, in threads of its own, from `start` to `stop`.

    ``ordered`` is told of each container (its id) that it is about to end itself.
    """

    def __init__(
        self,
        engine: Engine,
        place: Place,
        say: Say,
        *,
        ordered: Callable[[str, Orderer], None],
        clock: Callable[[], float],
    ) -> None:
        self._place = place
        self._say = say
        self._clock = clock
        self._wake = threading.Event()
        self._stopped = False
        self._lock = threading.Lock()
        self._view: View | None = None
        self._watched = False
        self._state = State()
        self._begun: dict[tuple[str, Way], float] = {}
        self._deaths = Deaths()
        self._posting = Posting(say, clock)
        self._book = Book(place.project, Incidents(place.folder), self._posting.tell, say, clock)
        self._probing = Probing(engine, clock, self._wake.set, say)
        self._calls = Calls(place, clock, self._lease)
        self._acts = Acts(engine, place, self._book, say, ordered=ordered, wake=self._wake.set)
        self._aftermath = Aftermath(self._acts, self._book)
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    @property
    def mending(self) -> frozenset[str]:
        """The instances that a remedy is being carried out on: nobody else touches them."""
        return self._acts.mending

    def start(self) -> None:
        """Begin; nothing is checked before the first `round`."""
        self._thread.start()

    def stop(self) -> None:
        """End: what is under way is left to its threads, notices get a few seconds more."""
        self._stopped = True
        self._wake.set()
        self._thread.join()
        self._posting.close()

    def heard(self, event: EngineEvent, death: Death | None) -> None:
        """Take an event; ``death`` is why a container ended that nobody had ordered to."""
        self._deaths.heard(event, death)
        if death is not None:
            self._wake.set()

    def round(
        self,
        seen: Observed,
        wanted: Desired,
        config: Config,
        *,
        locked: bool,
        conditions: Collection[Condition] = (),
        faulted: frozenset[str] = frozenset(),
    ) -> frozenset[str]:
        """Take a new look at the cluster, and return at once what `mending` says.

        ``locked``: somebody is changing containers. ``conditions`` are those of healing.
        ``faulted`` are under a fault made on purpose: nothing is done about them.
        """
        at, me = self._clock(), self._place.holder
        view = View(seen, wanted, config, at, locked, tuple(conditions), me, faulted)
        with self._lock:
            self._view = view
        self._wake.set()
        return self.mending

    def stand_by(self) -> None:
        """Check, mend and tell nothing until the next `round`: another controller does."""
        with self._lock:
            self._view = None
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            with self._lock:
                view = self._view
            pause = _LONGEST
            try:
                if view is None:
                    self._forget()
                else:
                    pause = self._tick(view)
            except Exception as error:  # noqa: BLE001 - the watchdog outlives its own mistakes
                self._say("watchdog-failed", reason=f"{error!r}")
                pause = _AFTER_FAILURE
            self._wake.wait(pause)

    def _forget(self) -> None:
        self._watched = False
        self._state = State()
        self._begun.clear()
        self._deaths.forget(self._clock())
        self._aftermath.forget()
        self._book.forget()

    def _tick(self, view: View) -> float:
        """Begin what is due, decide from what was found; return in how many seconds to go on."""
        if not self._watched:
            self._watched = True
            self._take_over(view)
        watchdog = view.config.watchdog
        self._posting.use(watchdog.webhook, self._place.signing(view.seen))
        self._acts.view = view
        now = self._clock()
        pause = self._watch(view, now) if watchdog.enabled else _LONGEST
        started = self._deaths.started(view.seen.containers.values())
        # A death comes before what healing makes of it: the incident is the death's.
        waited_for = {condition.instance for condition in view.conditions}
        more = self._aftermath.tell(view, self._deaths.due(now, waited_for), started)
        ends = (self._probing.next_deadline(), self._deaths.next_due(), more)
        return max(0.0, min(_LONGEST, pause, *(end - now for end in ends if end is not None)))

    def _take_over(self, view: View) -> None:
        """Go on from what an earlier controller has kept."""
        self._book.end_left_open()
        if view.config.watchdog.enabled:
            given_up = self._book.given_up()
            records = inherited(view, given_up)
            self._state = State(records)
            for incident in given_up:
                if incident.instance in records:
                    self._book.resume(incident)

    def _watch(self, view: View, now: float) -> float:
        """Try what is due and act on what was found; return when (s) the next try is due."""
        probes, pause = due(probes_of(view), self._begun, now)
        results = []
        for probe in probes:
            self._begun[probe.key] = now
            if probe.way == "health":
                results.append(health_of(probe, now))
            else:
                self._probing.begin(probe, view.seen, self._calls.of(probe))
        results += self._probing.collect()
        started = self._deaths.started(view.seen.containers.values())
        judged = counted(results, started, view.config.watchdog.cooldown)
        seen = Seen(targets_of(view), judged, self.mending, view.locked)
        self._state, intents = decide(self._state, seen, now)
        for intent in intents:
            self._acts.do(intent)
        return _LONGEST if pause is None else pause

    def _lease(self) -> float:
        view = self._view
        return view.config.lease if view else _LONGEST
