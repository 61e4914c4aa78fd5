"""What is watched, and how: from what is wanted and what is there to targets and probes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from jobctl.cluster import labels, names
from jobctl.cluster.desired import Desired, Instance
from jobctl.cluster.observed import Observed, instance_of
from jobctl.config import Config
from jobctl.config.watchdog import Check, Watching
from jobctl.control.healing import Condition
from jobctl.control.watchdog_model import Result, Target
from jobctl.engine.model import Container

Way = Literal["redis", "master", "pool", "health", "http", "tcp", "command"]

SHORT_ID = 12


@dataclass(frozen=True)
class View:
    """One look at the cluster, as a round of the controller has it at the instant ``at``.

    ``locked``: a command changes containers. ``me`` is the short id of the container that the
    watchdog itself runs in: who asks needs no check. ``faulted`` are the instances under a fault
    that somebody made on purpose.
    """

    seen: Observed
    wanted: Desired
    config: Config
    at: float
    locked: bool = False
    conditions: tuple[Condition, ...] = ()
    me: str = ""
    faulted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Probe:
    """One thing to try every ``interval`` seconds: it fails if it takes longer than ``timeout``.

    ``subject`` is an instance; for the way `pool` the service that all workers of a pool are.
    ``rows`` are the containers that it is about.
    """

    subject: str
    service: str
    way: Way
    interval: float
    timeout: float
    rows: tuple[Container, ...]
    check: Check | None = None

    @property
    def key(self) -> tuple[str, Way]:
        """What names the probe from one look to the next."""
        return self.subject, self.way

    @property
    def row(self) -> Container:
        """The container, of those that are about one."""
        return self.rows[0]


@dataclass(frozen=True)
class _Watched:
    """A container that should be there, and how it is watched."""

    instance: str
    service: str
    row: Container | None
    watch: Watching
    needs: frozenset[str] = frozenset()


def targets_of(view: View) -> tuple[Target, ...]:
    """Return everything that is watched, running or not."""
    cooldown = view.config.watchdog.cooldown
    return tuple(
        Target(
            each.instance,
            each.service,
            each.watch.failures,
            cooldown,
            each.watch.restart,
            each.needs,
            _left_alone(view, each),
        )
        for each in _watched(view)
    )


def probes_of(view: View) -> tuple[Probe, ...]:
    """Return what is to be tried of all that runs."""
    found: list[Probe] = []
    pools: dict[str, list[_Watched]] = {}
    for each in _watched(view):
        if each.row is None or _left_alone(view, each):
            continue
        if each.row.health in ("healthy", "unhealthy"):
            found.append(_probe(each, each.row, "health"))
        if labels.POOL in each.row.labels:
            pools.setdefault(each.service, []).append(each)
        elif each.service == names.REDIS:
            found.append(_probe(each, each.row, "redis"))
        elif each.service == names.MASTER:
            found.append(_probe(each, each.row, "master"))
        if (check := each.watch.check) is not None:
            way: Way = "http" if check.http else "tcp" if check.tcp else "command"
            found.append(_probe(each, each.row, way, check))
    for service, members in pools.items():
        watch = members[0].watch
        rows = tuple(each.row for each in members if each.row is not None)
        found.append(Probe(service, service, "pool", watch.interval, watch.timeout, rows))
    return tuple(found)


def due(
    probes: Collection[Probe], begun: Mapping[tuple[str, Way], float], now: float
) -> tuple[list[Probe], float | None]:
    """Return which probes to begin now, and in how many seconds the next one is to begin."""
    found: list[Probe] = []
    waits: list[float] = []
    for probe in probes:
        last = begun.get(probe.key)
        if last is None or now - last >= probe.interval:
            found.append(probe)
            waits.append(probe.interval)
        else:
            waits.append(last + probe.interval - now)
    return found, min(waits, default=None)


def counted(
    results: Collection[Result], started: Mapping[str, float], cooldown: float
) -> tuple[Result, ...]:
    """Return what of the results is to be judged.

    Whatever has just started or resumed (``started``: when), for whatever reason, is given as long
    before its failures count as one that was restarted by the watchdog.
    """
    longest_ago = float("-inf")
    return tuple(
        each
        for each in results
        if each.ok or each.at >= started.get(each.instance, longest_ago) + cooldown
    )


def health_of(probe: Probe, now: float) -> Result:
    """Return what the engine's own check of a container has come to."""
    healthy = probe.row.health == "healthy"
    detail = "" if healthy else "the engine reports it as unhealthy"
    return Result(probe.subject, "health", now, healthy, detail)


def instance_named(view: View, name: str) -> Instance | None:
    """Return what an instance should be; None for one that is not wanted."""
    for template, number in view.wanted.services():
        if f"{template.service}-{number}" == name:
            return template.instance(number)
    service, _, number_text = name.rpartition("-")
    for pool in view.wanted.pools.values():
        if pool.template.service == service and number_text.isdecimal():
            return pool.template.instance(int(number_text))
    return None


def _watched(view: View) -> Iterator[_Watched]:
    watchdog, seen, wanted = view.config.watchdog, view.seen, view.wanted
    redis = frozenset({f"{names.REDIS}-1"})
    for template, number in wanted.services():
        instance = f"{template.service}-{number}"
        row = seen.containers.get(names.container(seen.project, instance))
        if row is not None and row.id[:SHORT_ID] == view.me:
            continue
        extra = wanted.extra.get(template.service)
        needs = frozenset(f"{need}-1" for need in extra.needs) if extra else frozenset()
        if template.service == names.MASTER:
            needs = redis
        yield _Watched(instance, template.service, row, watchdog.of(template.service), needs)
    for name, pool in wanted.pools.items():
        service = pool.template.service
        for row in seen.pool(name).values():
            yield _Watched(instance_of(row), service, row, watchdog.of(service), redis)


def _left_alone(view: View, watched: _Watched) -> str:
    if watched.row is None:
        return "missing"
    if watched.instance in view.faulted:
        return "under a fault"
    # What does not run is healing's; a pause is somebody's wish.
    return "" if watched.row.state == "running" else watched.row.state


def _probe(each: _Watched, row: Container, way: Way, check: Check | None = None) -> Probe:
    watch = each.watch
    return Probe(each.instance, each.service, way, watch.interval, watch.timeout, (row,), check)
