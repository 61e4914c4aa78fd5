"""The plans of `down`: the controllers end first, then workers and master, then Redis. Pure."""

from jobctl.cluster import labels, names
from jobctl.cluster.action import Action, Plan, PlanBuilder
from jobctl.cluster.containers import SHORT_STOP, stop_timeout
from jobctl.cluster.observed import Observed
from jobctl.cluster.removal import remove_container, stop_container

_CAUSE = "the cluster goes down"


def plan_controllers_down(seen: Observed, *, force: bool) -> Plan:
    """Return what ends the controllers: they would bring back what goes, and scale what drains.

    With ``force`` they are killed: nothing that they still write is kept. They are removed with
    all else, which is where removing takes no time of its own.
    """
    builder = PlanBuilder()
    for _, row in sorted(seen.containers.items()):
        if row.labels.get(labels.SERVICE) == names.CONTROLLER:
            stop_container(builder, row, _CAUSE, seconds=0.0 if force else SHORT_STOP)
    return builder.plan()


def plan_down(seen: Observed, *, volumes: bool, grace: float, drained: bool = False) -> Plan:
    """Return what removes a cluster, or as much of it as there is.

    When no worker holds a job any more (``drained``) and the volumes go too, nobody has anything
    left to write: then all containers are removed at once, by force.

    ``grace`` is how long (seconds) a worker that could not be drained gets for its jobs. Redis
    outlives the workers, so that these can hand back what they hold.
    """
    builder = PlanBuilder()
    force = drained and volumes
    seconds = stop_timeout(grace)
    removed = [
        remove_container(builder, row, _CAUSE, seconds=seconds, force=force) for row in seen.workers
    ]
    if seen.seed is not None:
        cause = "an unfinished `up` left it"
        builder.add(Action("remove", "container", "seed", cause, seen.seed.name))
    workers_gone = builder.ids("stop")
    for _, row in sorted(seen.containers.items()):
        if labels.POOL not in row.labels:
            needed = row.labels.get(labels.SERVICE) == names.REDIS
            after = workers_gone if needed else ()
            removed.append(
                remove_container(builder, row, _CAUSE, seconds=SHORT_STOP, after=after, force=force)
            )
    removed.append("remove seed")
    for name in sorted(seen.networks):
        builder.add(Action("remove", "network", f"network {name}", _CAUSE, name), removed)
    if volumes:
        for name in sorted(seen.volumes):
            subject = f"volume {name}"
            builder.add(
                Action("remove", "volume", subject, "--volumes was given", name),
                removed,
            )
    return builder.plan()
