"""The plan of the controller: what brings a running cluster back to its spec. Pure.

It mends what ended or is missing. It undoes no pause (somebody may want it so, and leases see to
the jobs) and replaces nothing that runs: that is `up`'s.
"""

from collections.abc import Collection

from jobctl.cluster.action import Action, Plan, PlanBuilder
from jobctl.cluster.desired import Desired, Instance
from jobctl.cluster.difference import free_numbers, leaving
from jobctl.cluster.making import create_and_start
from jobctl.cluster.observed import Observed, instance_of
from jobctl.cluster.plan import ground_names
from jobctl.cluster.removal import remove_container, remove_worker

_MISSING = "it is missing"
_ENDED = "it does not run"


def plan_heal(wanted: Desired, seen: Observed, left_alone: Collection[str] = ()) -> Plan:
    """Return what to do; ``left_alone`` names instances (``worker-2``) that nothing is done to.

    A network that must be made anew takes the containers that were in it along.
    """
    builder = PlanBuilder()
    ground_names(builder, wanted, seen)
    for instance in _instances(wanted, seen):
        if instance.name not in left_alone:
            _mend(builder, wanted, seen, instance)
    return builder.plan()


def plan_shrink(wanted: Desired, seen: Observed, left_alone: Collection[str] = ()) -> Plan:
    """Return the way out of workers that are too many, which lasts as long as their jobs do."""
    builder = PlanBuilder()
    for name, pool in wanted.pools.items():
        existing = seen.pool(name)
        cause = f"the pool {name} wants {pool.replicas} workers, not {len(existing)}"
        for number in leaving(existing, len(existing) - pool.replicas, seen):
            if instance_of(existing[number]) not in left_alone:
                remove_worker(builder, seen, existing[number], cause, None)
    return builder.plan()


def _instances(wanted: Desired, seen: Observed) -> list[Instance]:
    """Return all that should be: of a pool those that exist, and new ones up to its replicas."""
    found = [template.instance(number) for template, number in wanted.services()]
    for name, pool in wanted.pools.items():
        existing = seen.pool(name)
        surplus = len(existing) - pool.replicas
        staying = existing.keys() - set(leaving(existing, surplus, seen))
        numbers = [*staying, *free_numbers(set(existing), -surplus)]
        found += [pool.template.instance(number) for number in sorted(numbers)]
    return found


def _mend(builder: PlanBuilder, wanted: Desired, seen: Observed, instance: Instance) -> None:
    target = instance.container.name
    row = seen.containers.get(target)
    if row is None:
        create_and_start(builder, instance, _MISSING)
    elif row.state in ("dead", "removing") or wanted.network not in seen.networks:
        cause = "it is half removed" if wanted.network in seen.networks else "its network is gone"
        gone = remove_container(builder, row, cause, seconds=0.0, force=True)
        create_and_start(builder, instance, cause, after=[gone])
    elif row.state == "created" or (row.state == "exited" and instance.container.restart != "no"):
        builder.add(Action("start", "container", instance.name, _ENDED, target))
