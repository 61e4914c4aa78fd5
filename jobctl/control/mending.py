"""Bringing back what died or is missing: patiently with what keeps dying, at once with the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict

from jobctl.cluster import labels
from jobctl.cluster.action import Plan
from jobctl.cluster.desired import Desired
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event
from jobctl.cluster.executor import Executor
from jobctl.cluster.observed import Observed, instance_of
from jobctl.cluster.plan_heal import plan_heal, plan_shrink
from jobctl.config import Healing as Settings
from jobctl.control import healing
from jobctl.control.deaths import Orderer, cause_of
from jobctl.control.drift import Drift
from jobctl.control.healing import Condition, Died, Policy, Refused, Seen
from jobctl.control.releases import Say
from jobctl.control.traces import Ended, Traces
from jobctl.engine.errors import Conflict, EngineError, NotFound
from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import Engine

_SOON = 0.05
"""Seconds until the next look when somebody else is at work, or the engine about to say more."""

_LAG = 2.0
"""Seconds for which the engine may list a container as running that it said had died."""

_LATE = 30.0
"""Seconds after which a death is one that happened while no controller was there."""


class Mender:
    """Remembers deaths between rounds. `heard` comes from another thread than `mend`."""

    def __init__(
        self, engine: Engine, traces: Traces, say: Say, clock: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._traces = traces
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._died: dict[str, float] = {}
        self._news: list[Died | Refused] = []
        self._drift = Drift()
        self._state = healing.State()
        self._failing = ""
        self._shrinking: threading.Thread | None = None
        self.conditions: tuple[Condition, ...] = ()
        """What is not as it should be, and is not simply about to be mended."""

    def heard(self, event: EngineEvent, end: Ended | None) -> None:
        """Take an event of a container of ours, and the end that it tells of."""
        name = event.labels.get(labels.INSTANCE)
        if event.kind != "container" or name is None:
            return
        with self._lock:
            if event.action == "start":
                self._died.pop(name, None)
            elif end is not None and not end.was_ordered:
                now = self._clock()
                self._died[name] = now
                # Our clock is not the engine's; but one told late is not of now.
                at = end.at if end.at < now - _LATE else now
                self._news.append(Died(name, at, cause_of(end.evidence).reason))

    def mend(
        self,
        wanted: Desired,
        seen: Observed,
        settings: Settings,
        others: frozenset[str] = frozenset(),
        at_once: frozenset[str] = frozenset(),
    ) -> float | None:
        """Act once; return in how many seconds there is more to do, None when there is not.

        ``others`` are the instances that somebody else sees to (the watchdog, the autoscaler),
        ``at_once`` those that are known to be nobody's work in progress.
        Raises Conflict and NotFound when somebody else was at work, and what the engine refuses.
        """
        now = self._clock()
        died, off, healed = self._decide(wanted, seen, settings, now)
        sure = at_once.union(died)
        for condition in healed.conditions:
            if condition not in self.conditions:
                self._say("condition", **asdict(condition))
        self.conditions = healed.conditions
        alone = self._drift.young(sure, now) | healed.left_alone | others
        self._shrink(plan_shrink(wanted, seen, alone), seen)
        self._failing = ""
        try:
            healer = Executor(seen.project, self._engine, seen.connection, self._tell)
            healer.execute(plan_heal(wanted, seen, alone))
        except (Conflict, NotFound) as error:
            if healing.condition_of(error) == "ImageMissing":
                self._refused(error)
            raise
        except EngineError as error:
            self._refused(error)
            raise
        if any(now - at < _LAG for name, at in died.items() if name not in off):
            return _SOON
        due = [until for until in healed.until.values() if until < healing.FOREVER]
        if off and (settled := self._drift.due(sure)) is not None:
            due.append(settled)
        return max(0.0, min(due) - now) if due else None

    def follow(self, wanted: Desired, seen: Observed, settings: Settings) -> None:
        """Know what `mend` would, and do nothing: another controller acts."""
        self._decide(wanted, seen, settings, self._clock())

    def recall(self, conditions: Iterable[Condition]) -> None:
        """Leave alone what the controller before had given up."""
        self._state = healing.recalled(self._state, conditions)

    def _shrink(self, plan: Plan, seen: Observed) -> None:
        """Let workers go, in a thread: their jobs may last for hours. One such plan at a time."""
        if plan.empty or (self._shrinking is not None and self._shrinking.is_alive()):
            return
        engine = self._engine.clone()
        rows = {instance_of(row): row.id for row in seen.workers}

        def tell(event: Event) -> None:
            # The first step to end is its drain: whatever ends it from here on is this plan.
            if event.state != "started" and event.subject in rows:
                self._traces.ordered(rows[event.subject], Orderer.SCALE_DOWN)
            self._tell(event)

        def run() -> None:
            try:
                Executor(seen.project, engine, seen.connection, tell).execute(plan)
            except (EngineError, ClusterError) as error:
                self._say("not-done", reason=str(error))  # what is left is found at the next look
            finally:
                engine.close()

        self._shrinking = threading.Thread(target=run, name="shrink", daemon=True)
        self._shrinking.start()

    def _decide(
        self, wanted: Desired, seen: Observed, settings: Settings, now: float
    ) -> tuple[dict[str, float], set[str], healing.Healing]:
        """Return who died, which instances are not as they should be, and whom to leave alone."""
        with self._lock:
            died = dict(self._died)
            news, self._news = tuple(self._news), []
        running = {instance_of(r) for r in seen.containers.values() if r.state == "running"}
        look = Seen(frozenset(instances(wanted, seen)), frozenset(running), news)
        policy = Policy(
            settings.backoff, settings.max_backoff, settings.give_up_after, settings.window
        )
        self._state, healed = healing.decide(self._state, look, policy, now)
        plans = (plan_heal(wanted, seen), plan_shrink(wanted, seen))
        off = {a.subject for plan in plans for a in plan.actions if a.kind == "container"}
        self._drift = self._drift.after(off, now)
        return died, off, healed

    def _refused(self, error: EngineError) -> None:
        """Remember what the engine did not do for the instance that failed first."""
        if self._failing:
            name, said = healing.condition_of(error), str(error)
            refused = Refused(self._failing, self._clock(), name, said, error.hint or "jobctl up")
            with self._lock:
                self._news.append(refused)

    def _tell(self, event: Event) -> None:
        if event.state == "failed" and not self._failing:
            self._failing = event.subject
        self._say("action", subject=event.subject, text=event.text, state=event.state)


def instances(wanted: Desired, seen: Observed) -> set[str]:
    """Return the names of all that should be; of pools, of those that are there."""
    services = {f"{template.service}-{number}" for template, number in wanted.services()}
    pools = {
        instance_of(row) for row in seen.workers if row.labels.get(labels.POOL) in wanted.pools
    }
    return services | pools
