"""The plan of a rolling update: a pool's workers are replaced in waves, each tried first. Pure.

The first wave is what serves nobody anyway: workers that are missing, do not run, or were replaced
by an update that did not end. Then come those that work, a few at a time, idle ones first. A new
worker is on trial: it gets no job of anybody's before its canary, a small job, has succeeded.
"""

from dataclasses import dataclass, replace

from jobctl.cluster import labels, names
from jobctl.cluster.action import Action, Kind, Plan, PlanBuilder, Verb
from jobctl.cluster.changes import POOL_SECTIONS
from jobctl.cluster.containers import stop_timeout
from jobctl.cluster.desired import Desired, Instance, PoolDesired
from jobctl.cluster.difference import PoolDifference, fault
from jobctl.cluster.making import create_and_start
from jobctl.cluster.observed import Observed
from jobctl.cluster.removal import drain_worker, remove_container
from jobctl.cluster.spec import Spec
from jobctl.config.units import unavailable
from jobctl.engine.model import Container

_NOT_OF_A_WORKER = ("replicas", "autoscale", "update")
"""What a pool's section says of the pool alone."""

_UNTRIED = "it is yet to be tried"
_SHORT_ID = 12


@dataclass(frozen=True)
class Manner:
    """How workers are replaced.

    ``most`` is how many at a time, as a number or a share (None: as each pool says). ``grace`` is
    how long (seconds) their jobs may run on before they are handed back; None lets them end.
    Without ``canary`` nothing is tried: a new worker must register, no more.
    """

    most: int | str | None = None
    grace: float | None = None
    canary: bool = True


GENTLY = Manner()
"""As the pools say, and no job is cut short."""


@dataclass(frozen=True)
class Member:
    """One worker of a wave, its container if there is one, and why that is made anew.

    ``replaced`` is false for one that is new, or as it should be and yet to be tried.
    """

    instance: Instance
    row: Container | None
    cause: str
    replaced: bool


@dataclass(frozen=True)
class Wave:
    """Workers of one pool that are replaced at the same time."""

    pool: str
    members: tuple[Member, ...]

    def __str__(self) -> str:
        return ", ".join(member.instance.name for member in self.members)


def rolling(wanted: Desired, seen: Observed) -> frozenset[str]:
    """Return the pools whose workers are replaced in waves.

    In those that an update which did not end was about, workers that are missing or yet to be tried
    count too. Without its network, or from a cluster of an older schema, no worker could work
    beside a new one: there nothing is rolled.
    """
    if wanted.network not in seen.networks or _older(seen):
        return frozenset()
    begun = _begun(wanted, seen)
    found = {name: _members(wanted, seen, name, name in begun) for name in wanted.pools}
    return frozenset(
        name
        for name, members in found.items()
        if any(member.replaced for member in members) or (name in begun and members)
    )


def members(wanted: Desired, seen: Observed) -> frozenset[str]:
    """Return the names of all workers (``worker-2``) that are the waves' business."""
    return frozenset(m.instance.name for wave in waves(wanted, seen) for m in wave.members)


def waves(wanted: Desired, seen: Observed, most: int | str | None = None) -> list[Wave]:
    """Return all waves, pool after pool; each is to be over before the next one begins."""
    found: list[Wave] = []
    pools = rolling(wanted, seen)
    for name in (name for name in wanted.pools if name in pools):
        pool = wanted.pools[name]
        everyone = _members(wanted, seen, name, begun=True)
        free = [member for member in everyone if not _works(seen, member.row)]
        working = [member for member in everyone if member not in free]
        working.sort(key=lambda member: _jobs(seen, member.row))
        count = unavailable(pool.most_unavailable if most is None else most, pool.replicas)
        chunks = [free, *(working[at : at + count] for at in range(0, len(working), count))]
        found += [Wave(name, tuple(chunk)) for chunk in chunks if chunk]
    return found


def plan_wave(wanted: Desired, seen: Observed, wave: Wave, manner: Manner) -> Plan:
    """Return what one wave does."""
    builder = PlanBuilder()
    _Adding(builder, wanted, seen, manner).wave(wave, [])
    return builder.plan()


def with_waves(first: Plan, wanted: Desired, seen: Observed, manner: Manner) -> Plan:
    """Return a plan with all waves after it, to be shown: each is planned anew when it begins."""
    found = waves(wanted, seen, manner.most)
    builder = PlanBuilder()
    for action in first.actions:
        builder.add(action, action.after)
    adding = _Adding(builder, wanted, seen, manner)
    after = [action.id for action in first.actions]
    notes = list(first.notes)
    for number, wave in enumerate(found, 1):
        after = adding.wave(wave, after)
        notes.append(f"wave {number} of {len(found)}: {wave}")
    return Plan(builder.plan().actions, tuple(notes))


class _Adding:
    """Adds waves to a plan."""

    def __init__(
        self, builder: PlanBuilder, wanted: Desired, seen: Observed, manner: Manner
    ) -> None:
        self._builder = builder
        self._wanted = wanted
        self._seen = seen
        self._manner = manner

    def wave(self, wave: Wave, after: list[str]) -> list[str]:
        """Add a wave after the actions of the given ids; return the ids that end it."""
        return [self._worker(self._wanted.pools[wave.pool], m, after) for m in wave.members]

    def _worker(self, pool: PoolDesired, member: Member, after: list[str]) -> str:
        tried = self._manner.canary and pool.canary
        ready = after
        if member.replaced and member.row:
            drained = drain_worker(
                *(self._builder, self._seen, member.row, member.cause, self._manner.grace),
                after=after,
            )
            ready = [*after, *drained]
        if tried:
            # Before the old one goes: whoever makes the new one, it begins on trial.
            on_trial = "it gets no other job before its canary has succeeded"
            ready = [self._add("trial", "worker", member, on_trial, ready)]
        ready = self._come(pool, member, ready)
        last = self._add("await", "worker", member, "it must register first", ready)
        if tried:
            show = "it must show that it can run a job"
            last = self._add("canary", "worker", member, show, [last])
        return self._add("undrain", "container", member, "it is fit for work", [last])

    def _come(self, pool: PoolDesired, member: Member, ready: list[str]) -> list[str]:
        """Add what makes the new worker run, in the place of the old one if there is one."""
        row, name = member.row, member.instance.name
        if row is None or member.replaced:
            if row is not None:
                grace = pool.grace if self._manner.grace is None else self._manner.grace
                # By id: jobs may take hours to end, and another command replace it meanwhile.
                old, seconds = replace(row, name=row.id), stop_timeout(grace)
                gone = remove_container(
                    self._builder, old, member.cause, seconds=seconds, after=ready
                )
                ready = [gone]
            create_and_start(self._builder, member.instance, member.cause, after=ready)
            return [*ready, f"start {name}"]
        if row.state in ("created", "exited"):
            return [self._add("start", "container", member, "it does not run", ready)]
        if row.state == "paused":
            return [self._add("unpause", "container", member, "it is paused", ready)]
        return ready

    def _add(self, verb: Verb, kind: Kind, member: Member, cause: str, after: list[str]) -> str:
        instance = member.instance
        action = Action(verb, kind, instance.name, cause, instance.container.name)
        return self._builder.add(action, after)


def _members(wanted: Desired, seen: Observed, name: str, begun: bool) -> list[Member]:
    """Return what is to be done in a pool: all that is replaced, missing or (begun) untried."""
    pool = PoolDifference(wanted.pools[name], seen)
    template = pool.desired.template
    found: list[Member] = []
    for number in pool.numbers:
        instance, row = template.instance(number), pool.existing.get(number)
        wrong = fault(wanted, seen, template, row) if row else ""
        if wrong:
            found.append(Member(instance, row, wrong, replaced=True))
        elif row is None:
            found.append(Member(instance, None, "it does not exist", replaced=False))
        elif begun and not _works(seen, row):
            found.append(Member(instance, row, _UNTRIED, replaced=False))
    return found


def _begun(wanted: Desired, seen: Observed) -> frozenset[str]:
    """Return the pools that an update which did not end yet is about."""
    before = seen.before(wanted.spec)
    if seen.generation is None or not seen.generation.fallback or before is None:
        return frozenset()
    return frozenset(p for p in wanted.pools if _made_from(before, p) != _made_from(wanted.spec, p))


def _made_from(spec: Spec, pool: str) -> tuple[object, ...]:
    """Return all that a pool's workers are made from."""
    own = {**spec.config.get("workers", {}).get(pool, {})}
    for section in _NOT_OF_A_WORKER:
        own.pop(section, None)
    shared = [spec.config.get(section) for section in POOL_SECTIONS]
    image = spec.images.get(names.pool_image(pool), spec.images.get(names.WORKER))
    return own, shared, image


def _works(seen: Observed, row: Container | None) -> bool:
    """Tell whether a worker runs, has registered from its container and is not on trial."""
    load = seen.load(row) if row else None
    return bool(
        row
        and load
        and row.state == "running"
        and load.container == row.id[:_SHORT_ID]
        and load.status not in ("trial", "lost")
    )


def _jobs(seen: Observed, row: Container | None) -> int:
    load = seen.load(row) if row else None
    return len(load.jobs) if load else 0


def _older(seen: Observed) -> bool:
    """Tell whether a container is of a schema that today's cannot work beside."""
    made_by = (labels.schema_of(row.labels) for row in seen.containers.values())
    return any(schema < int(labels.SCHEMA) for schema in made_by)
