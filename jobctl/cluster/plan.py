"""The plan of `up`: what leads from the observed cluster to the desired one. Pure."""

from collections import Counter

from jobctl.cluster import labels, names
from jobctl.cluster.action import Action, Plan, PlanBuilder, Verb
from jobctl.cluster.containers import SHORT_STOP
from jobctl.cluster.desired import Desired, Instance, Template
from jobctl.cluster.difference import PoolDifference, fault
from jobctl.cluster.errors import ClusterError, NameTaken
from jobctl.cluster.making import create_and_start, needs_of
from jobctl.cluster.observed import Observed, instance_of
from jobctl.cluster.plan_roll import members, rolling
from jobctl.cluster.removal import remove_container, remove_worker
from jobctl.config.units import parse_duration
from jobctl.engine.model import Container

_ABSENT = "it does not exist"
_REMOVERS = {
    "container": "docker rm {name}",
    "network": "docker network rm {name}",
    "volume": "docker volume rm {name}",
}


def plan(wanted: Desired, seen: Observed) -> Plan:
    """Return what to do, each action after those it needs.

    Workers that are replaced in waves (see plan_roll.py) are left out: that is done afterwards.
    Raises NameTaken when something foreign has a name that is needed, and ClusterError for a
    change that a running cluster cannot make and for a cluster of a newer jobctl.
    """
    check_schema(seen)
    later = members(wanted, seen)
    pools = {name: PoolDifference(pool, seen) for name, pool in wanted.pools.items()}
    instances = [_Wanted(t, number, wanted, seen) for t, number in wanted.services()]
    for pool in pools.values():
        template = pool.desired.template
        instances += [_Wanted(template, number, wanted, seen) for number in pool.numbers]
    instances.sort(key=lambda item: item.template.service == names.CONTROLLER)
    check_names(wanted, seen, [item.instance for item in instances if item.row is None])
    instances = [item for item in instances if item.instance.name not in later]
    builder = PlanBuilder()
    _ground(builder, wanted, seen)
    _remove_superfluous(builder, wanted, seen, pools)
    gone = _remove_replaced(builder, wanted, seen, instances)
    for item in instances:
        if item.row is None or item.fault:
            cause = item.fault or _ABSENT
            last = gone.get(item.instance.name)
            needs = [
                *needs_of(builder, wanted, seen, item.template),
                *_before_controller(builder, wanted, item.template),
            ]
            create_and_start(builder, item.instance, cause, after=last, needs=needs)
        else:
            _revive(builder, seen, item.instance, item.row)
    return builder.plan()


def _before_controller(builder: PlanBuilder, wanted: Desired, template: Template) -> list[str]:
    """Return what is started before a controller is: all of the cluster's own parts.

    Nobody waits for what it does, and its start would take the processor from what `up` waits for.
    Where one of them cannot start, no controller comes that would try on after `up` has given up.
    """
    if template.service != names.CONTROLLER:
        return []
    theirs = tuple(f"start {service}-" for service in wanted.extra)
    return [start for start in builder.ids("start") if not start.startswith(theirs)]


def check_schema(seen: Observed) -> None:
    """Raise ClusterError for a cluster that a newer jobctl has made: its data cannot be read."""
    newest = max(seen.schema, seen.stored.schema if seen.stored else 0)
    if newest > int(labels.SCHEMA):
        raise ClusterError(
            f"The cluster {seen.project} was brought up by a newer jobctl: its schema is {newest}, "
            f"this one knows those up to {labels.SCHEMA}.",
            "upgrade jobctl: python3 -m pip install --upgrade jobctl",
        )


def check_names(wanted: Desired, seen: Observed, instances: list[Instance]) -> None:
    """Raise NameTaken when something that is not ours has a name that is needed."""
    needed = [
        ("network", wanted.network),
        *(("volume", volume.name) for volume in wanted.volumes),
        ("container", names.seed(wanted.project)),
        *(("container", instance.container.name) for instance in instances),
    ]
    for kind, name in needed:
        if (kind, name) in seen.foreign:
            raise NameTaken(
                f"A {kind} named {name} already exists and does not belong to this cluster.",
                f"{_REMOVERS[kind].format(name=name)}, or use another name: jobctl -p OTHER up",
            )


class _Wanted:
    """An instance that should be, its container if there is one, and what is wrong with that."""

    def __init__(self, template: Template, number: int, wanted: Desired, seen: Observed) -> None:
        self.template = template
        self.instance = template.instance(number)
        self.row = seen.containers.get(self.instance.container.name)
        self.fault = fault(wanted, seen, template, self.row) if self.row else ""


def _ground(builder: PlanBuilder, wanted: Desired, seen: Observed) -> None:
    """Add what containers stand on: images, network, volumes, secrets and the stored spec."""
    for role, tag in sorted(wanted.spec.images.items()):
        if tag not in seen.images:
            builder.add(Action("build", "image", f"image {role}", f"there is no {tag}", tag))
    ground_names(builder, wanted, seen)
    write_spec(builder, wanted, seen, fallback_of(wanted, seen))


def ground_names(builder: PlanBuilder, wanted: Desired, seen: Observed) -> None:
    """Add the network and the volumes that do not exist."""
    network = seen.networks.get(wanted.network)
    if network is None:
        builder.add(
            Action(
                "create",
                "network",
                f"network {wanted.network}",
                _ABSENT,
                wanted.network,
                labels=wanted.network_labels,
                subnet=wanted.subnet,
            )
        )
    elif network.labels.get(labels.CONFIG_HASH) != wanted.network_hash:
        raise ClusterError(
            "network.subnet cannot be changed while the cluster is up.",
            f"jobctl -p {wanted.project} down, then jobctl up (the queue is kept)",
        )
    for volume in wanted.volumes:
        if volume.name not in seen.volumes:
            subject = f"volume {volume.name}"
            builder.add(
                Action("create", "volume", subject, _ABSENT, volume.name, labels=volume.labels)
            )


def fallback_of(wanted: Desired, seen: Observed) -> int:
    """Return the generation to go back to should replacing workers fail; 0 if none is replaced."""
    generation = seen.generation
    if generation is None or not rolling(wanted, seen):
        return 0
    same = generation.spec == wanted.spec
    return generation.fallback or (0 if same else generation.number)


def write_spec(builder: PlanBuilder, wanted: Desired, seen: Observed, fallback: int) -> None:
    """Add the writing of the spec, and of secrets that are missing; ``fallback`` as it is kept."""
    generation, stored = seen.generation, seen.stored
    if stored is None:
        cause = "the volumes' files are yet to be looked at"
        if names.volume(wanted.project, "control") not in seen.volumes:
            cause = "the cluster has no secrets and no spec yet"
    elif stored.secrets is None:
        cause = "the cluster has no secrets yet"
    elif not stored.current:
        cause = "the access rules are those of another version of jobctl"
    elif wanted.signing is not None and stored.secrets.webhook != wanted.signing:
        cause = "webhooks are to be signed otherwise"
    elif generation is None:
        cause = "the cluster has no spec yet"
    elif generation.spec != wanted.spec:
        cause = f"it differs from generation {generation.number}"
    elif generation.fallback != fallback:
        cause = f"generation {generation.fallback} is not needed any more"
    elif seen.seed is not None and seen.seed_abandoned:
        cause = "an `up` that died left it"
        builder.add(Action("remove", "container", "seed", cause, seen.seed.id))
        return
    else:
        return
    builder.add(
        Action(
            "write",
            "spec",
            "spec",
            cause,
            names.seed(wanted.project),
            spec=wanted.spec,
            base_generation=generation.number if generation else 0,
            fresh=names.volume(wanted.project, "control") not in seen.volumes,
            fallback=fallback,
            signing=wanted.signing,
        ),
        # Not the network: while the engine makes it, the volumes can be written.
        after=[*(f"create volume {v.name}" for v in wanted.volumes), *builder.ids("build")],
    )


def _remove_superfluous(
    builder: PlanBuilder, wanted: Desired, seen: Observed, pools: dict[str, PoolDifference]
) -> None:
    """Add the way out of workers that are too many and of what is no longer in the file."""
    for row in seen.workers:
        name = row.labels[labels.POOL]
        if name not in pools:
            cause = f"the pool {name} is no longer in the file"
            remove_worker(builder, seen, row, cause, _grace_of_gone(seen, name))
    for name, pool in pools.items():
        cause = f"the pool {name} wants {pool.desired.replicas} workers, not {len(pool.existing)}"
        for row in pool.going:
            remove_worker(builder, seen, row, cause, pool.desired.grace)
    services = Counter(template.service for template, _ in wanted.services())
    for _, row in sorted(seen.containers.items()):
        service = row.labels.get(labels.SERVICE, "")
        if service == names.SEED:
            continue  # what a fault is made with; whoever made it, or the controller, removes it
        surplus = labels.number_of(row.labels) > services[service]
        if labels.POOL not in row.labels and surplus:
            cause = f"there is no service {service or instance_of(row)}"
            if services[service]:
                cause = f"there are to be {services[service]} of {service}"
            remove_container(builder, row, cause, seconds=SHORT_STOP)


def _remove_replaced(
    builder: PlanBuilder, wanted: Desired, seen: Observed, instances: list[_Wanted]
) -> dict[str, list[str]]:
    """Add the way out of containers to be made anew; return name → id of its last step.

    Workers first: what they hand back goes through the master and Redis.
    """
    gone: dict[str, list[str]] = {}
    replaced = [item for item in instances if item.row and item.fault]
    for item in sorted(replaced, key=lambda item: not item.template.pool):
        row, name, pool = item.row, item.instance.name, item.template.pool
        assert row is not None
        if pool:
            last = remove_worker(builder, seen, row, item.fault, wanted.pools[pool].grace)
        else:
            workers = [*builder.ids("drain"), *_stops_of_workers(builder, seen)]
            last = remove_container(builder, row, item.fault, seconds=SHORT_STOP, after=workers)
        gone[name] = [last]
    return gone


def _stops_of_workers(builder: PlanBuilder, seen: Observed) -> list[str]:
    workers = {f"stop {instance_of(row)}" for row in seen.workers}
    return [name for name in builder.ids("stop") if name in workers]


def _grace_of_gone(seen: Observed, pool: str) -> float:
    """Return the grace of a pool that is no longer wanted, as its last spec had it."""
    config = seen.generation.spec.config if seen.generation else {}
    return parse_duration(config.get("workers", {}).get(pool, {}).get("grace", 10.0))


def _revive(builder: PlanBuilder, seen: Observed, instance: Instance, row: Container) -> None:
    """Add what brings a container that is as it should be back to work."""

    def add(verb: Verb, cause: str, after: str = "") -> None:
        builder.add(Action(verb, "container", instance.name, cause, row.name), [after])

    load = seen.load(row)
    if row.state == "exited" and instance.container.restart == "no":
        return  # it did what it was for
    if row.state == "created":
        add("start", "it was never started", after="write spec")
    elif row.state == "exited":
        add("start", "it does not run", after="write spec")
    elif row.state == "paused":
        add("unpause", "it is paused")
    elif row.state == "running" and load and load.draining:
        # A `down` or `scale` that died half-way left it so: it would never take a job again.
        add("undrain", "it takes no jobs")
