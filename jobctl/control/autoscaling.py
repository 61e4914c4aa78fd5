"""The autoscaler at work: it looks at the queue, decides, and says how many workers are to be.

It looks in a thread of its own, because the controller's loop is as slow as what it has to start;
whoever drains and makes workers is that loop, with its own fresh look at the cluster.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count, islice

from jobctl.cluster.desired import Desired, with_replicas
from jobctl.cluster.observed import Observed
from jobctl.cluster.orders import Order
from jobctl.config import Config
from jobctl.control import state
from jobctl.control.autoscale import Limit
from jobctl.control.autoscale_load import Sample
from jobctl.control.autoscale_policy import Room
from jobctl.control.autoscale_pool import Pool, Rule, begun, decided, raised, rested
from jobctl.control.autoscale_sample import Look
from jobctl.control.autoscale_share import shares
from jobctl.control.deaths import Orderer
from jobctl.control.departures import Departures
from jobctl.control.drift import SETTLE
from jobctl.control.host_room import Caps, HostRoom
from jobctl.control.place import Place
from jobctl.control.releases import SHORT_ID, Say
from jobctl.control.state import PoolState
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine
from jobctl.queue import Queue, QueueError, Worker

_LOOK = 1.0
"""Seconds between two looks at the queues at most: so soon a burst is seen."""

_AT_A_TIME = 8
"""New workers in one round of the controller: in between it looks around."""

_REMEMBERED = 600.0
"""Seconds after which what another controller decided says nothing any more."""


@dataclass(frozen=True)
class _View:
    """What the controller's loop last knew."""

    wanted: Desired
    seen: Observed
    config: Config

    def rules(self) -> dict[str, Rule]:
        """Return the autoscaled pools, with what applies to them."""
        fixed = self.wanted.spec.overrides
        return {
            name: Rule(pool, pool.autoscale, self.seen.orders.get(name, Order()), fixed.get(name))
            for name, pool in self.config.workers.items()
            if pool.autoscale is not None
        }


class Autoscaler:
    """Scales the pools of one cluster that have ``autoscale``, from `start` to `stop`.

    `wanted` and `see_to` are for the controller's loop. ``acts`` tells whether this is the
    controller that acts, ``wake`` makes the loop go round, ``ordered`` is told of each container
    before it is ended.
    """

    def __init__(
        self,
        engine: Engine,
        place: Place,
        say: Say,
        *,
        acts: Callable[[], bool],
        wake: Callable[[], None],
        ordered: Callable[[str, Orderer], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._place = place
        self._say = say
        self._acts = acts
        self._wake = wake
        self._clock = clock
        self._departures = Departures(engine, place.project, say, ordered, clock)
        self._view: _View | None = None
        self._generation = (0, 0.0)
        self._had: dict[str, int] = {}
        self._pools: dict[str, Pool] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._has_view = threading.Event()
        self._measured_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="autoscaler", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Decide nothing any more."""
        self._stopped.set()
        self._has_view.set()
        self._thread.join()

    # -- in the controller's loop

    @property
    def removing(self) -> frozenset[str]:
        """The instances that are being removed: nobody else is to touch them."""
        return self._departures.removing

    def states(self) -> dict[str, PoolState]:
        """Return what was decided, by pool."""
        with self._lock:
            return {name: pool.told for name, pool in self._pools.items()}

    def stand_by(self) -> None:
        """Decide nothing until the next `wanted`: another controller does."""
        with self._lock:
            self._view, self._pools = None, {}
            self._has_view.clear()

    def wanted(
        self, wanted: Desired, seen: Observed, config: Config
    ) -> tuple[Desired, frozenset[str]]:
        """Return what is wanted with the replicas that were decided, and who is to come at once.

        Of an autoscaled pool everybody stays: who goes is drained first (`see_to`).
        """
        if all(pool.autoscale is None for pool in config.workers.values()):
            self.stand_by()
            return wanted, frozenset()
        self._departures.looked(seen)
        view = _View(wanted, seen, config)
        replicas: dict[str, int] = {}
        fresh: set[str] = set()
        number = seen.generation.number if seen.generation else 0
        if number != self._generation[0]:
            self._generation = (number, self._clock())
        settled = self._clock() - self._generation[1] >= SETTLE
        with self._lock:
            self._view = view
            self._has_view.set()
            self._begin(view)
            for name, pool in self._pools.items():
                rows = seen.pool(name)
                there = self._departures.available(rows.values())
                more = min(max(0, pool.replicas - there), _AT_A_TIME)
                replicas[name] = len(rows) + more
                had = min(max(self._had.get(name, there), there), pool.replicas)
                self._had[name] = had
                # Who is missing may be in somebody's hands: `up` makes workers anew, too.
                missing = max(0, had - there)
                service = wanted.pools[name].template.service
                free = (number for number in count(1) if number not in rows)
                fresh |= {
                    f"{service}-{number}" for number in islice(free, missing, max(missing, more))
                }
        # Whoever wrote a new spec is making what it says: that is not to be done twice.
        return with_replicas(wanted, replicas), frozenset(fresh if settled else ())

    def see_to(self, seen: Observed, queue: Queue, workers: list[Worker]) -> None:
        """Drain those that are too many, and remove those that hold nothing. Raises QueueError."""
        with self._lock:
            numbers = {name: pool.replicas for name, pool in self._pools.items()}
        for name, replicas in numbers.items():
            rows = list(seen.pool(name).values())
            self._departures.see_to(name, rows, workers, replicas, queue)
            self._departures.remove_stranded(name, rows, replicas)

    def _begin(self, view: _View) -> None:
        """Have all autoscaled pools and no other; new ones as they were when last decided on."""
        rules, at = view.rules(), time.time()
        known = state.read(self._place.folder) if rules.keys() - self._pools.keys() else None
        kept = known.pools if known and at < known.until + _REMEMBERED else {}
        for name, rule in rules.items():
            if name not in self._pools:
                first = max(len(view.seen.pool(name)), rule.settings.first_replicas)
                last = kept.get(name)
                again = begun(last.replicas, last.at, last.reason) if last else begun(first, at)
                self._pools[name] = again
            before = self._pools[name]
            self._pools[name] = raised(before, rule, at)
            self._tell(name, before, self._pools[name])
        for name in self._pools.keys() - rules.keys():
            del self._pools[name]

    # -- in a thread of its own

    def _run(self) -> None:
        engine = self._engine.clone()
        host = HostRoom(engine, self._clock)
        queue: Queue | None = None
        trouble = ""
        while not self._stopped.is_set():
            view = self._view
            if view is None:
                self._has_view.wait()  # no pool is autoscaled, or another controller acts
                continue
            self._stopped.wait(min(_LOOK, view.config.controller.interval))
            view = self._view
            if view is None or not self._acts():
                continue
            try:
                queue = queue or self._place.queue(view.seen)
                if queue is not None:
                    self._look(view, queue, host)
                    trouble = ""
            except Exception as error:  # noqa: BLE001 - nobody else would ever decide again
                # What ails Redis or the engine, the controller's loop says.
                if not isinstance(error, QueueError | EngineError) and trouble != repr(error):
                    trouble = repr(error)
                    self._say("not-scaled", reason=trouble)
                if queue is not None:
                    queue.close()
                queue = None
        if queue is not None:
            queue.close()
        engine.close()

    def _look(self, view: _View, queue: Queue, host: HostRoom) -> None:
        """Look, and measure if there is work, was any, or it is time to."""
        found = queue.queues()
        rules = view.rules()
        served = {name for rule in rules.values() for name in rule.settings.queues}
        waiting = any(info.queued for info in found if info.name in served)
        with self._lock:
            pools = {name: pool for name, pool in self._pools.items() if name in rules}
        working = any(pool.has_work or pool.is_off for pool in pools.values())
        due = self._clock() - self._measured_at >= view.config.controller.interval
        if not (waiting or working or due):
            with self._lock:
                now = self._clock()
                self._pools = {name: rested(pool, now) for name, pool in self._pools.items()}
            return
        self._measured_at = self._clock()
        workers = queue.workers()
        now = time.time()
        parts = shares(pool.server(name, rules[name], now) for name, pool in pools.items())
        for name, before in pools.items():
            rule = rules[name]
            containers = self._containers(view, name)
            look = Look(
                now=self._clock(),
                now_ms=int(now * 1000),
                queues=rule.settings.queues,
                found=found,
                workers=workers,
                containers=containers,
                ordered=before.replicas,
                horizon=before.horizon(rule),
                shares=parts[name],
            )
            after = decided(before, rule, look, partial(self._room, view, name, host), now)
            with self._lock:
                if self._pools.get(name) is not before:
                    return  # another controller acts, or the pool is no more
                self._pools[name] = after
            self._tell(name, before, after)
            moved = self._departures.due(containers, workers, after.replicas)
            if moved or after.replicas != before.replicas:
                self._wake()

    def _containers(self, view: _View, name: str) -> frozenset[str]:
        """Return the short ids of a pool's containers but those that are being removed."""
        ids = {row.id for row in view.seen.pool(name).values()} - self._departures.removing_ids
        return frozenset(each[:SHORT_ID] for each in ids)

    def _room(self, view: _View, name: str, host: HostRoom, seen: Sample) -> Room:
        """Return how many more workers than there are the host has room for."""
        caps = {n: Caps(pool.cpus, pool.memory) for n, pool in view.config.workers.items()}
        with self._lock:
            ordered = [
                caps[other].times(max(0, pool.replicas - len(view.seen.pool(other))))
                for other, pool in self._pools.items()
                if other != name
            ]
        own = {row.id for row in view.seen.pool(name).values()}
        all_of_it = host.fits(own, ordered, caps[name], view.config.controller.cpu_overcommit)
        there = seen.workers + seen.starting
        return Room(all_of_it.cpus - there, all_of_it.memory - there)

    def _tell(self, name: str, before: Pool, after: Pool) -> None:
        changed = (after.replicas, after.paused) != (before.replicas, before.paused)
        if changed or after.blocked_by == Limit.HOST != before.blocked_by:
            self._say(
                "autoscale",
                pool=name,
                before=before.replicas,
                replicas=after.replicas,
                reason=after.reason,
                blocked_by=after.blocked_by,
            )
