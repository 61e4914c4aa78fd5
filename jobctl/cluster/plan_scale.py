"""The plan of `scale`: workers come or go, and no other container is touched. Pure."""

from jobctl.cluster.action import Plan, PlanBuilder
from jobctl.cluster.desired import Desired
from jobctl.cluster.difference import free_numbers, leaving
from jobctl.cluster.making import create_and_start
from jobctl.cluster.observed import Observed
from jobctl.cluster.plan import check_names, write_spec
from jobctl.cluster.removal import remove_worker


def plan_scale(wanted: Desired, seen: Observed, pools: list[str], grace: float | None) -> Plan:
    """Return what brings the named pools to their replicas.

    ``grace`` is how long (seconds) the jobs of workers that go may run on before they are handed
    back; None lets them end.
    """
    builder = PlanBuilder()
    instances = []
    for name in pools:
        pool, existing = wanted.pools[name], seen.pool(name)
        numbers = free_numbers(set(existing), pool.replicas - len(existing))
        instances += [pool.template.instance(number) for number in numbers]
    check_names(wanted, seen, instances)
    write_spec(builder, wanted, seen, seen.generation.fallback if seen.generation else 0)
    for name in pools:
        pool, existing = wanted.pools[name], seen.pool(name)
        cause = f"the pool {name} is scaled from {len(existing)} to {pool.replicas}"
        for number in leaving(existing, len(existing) - pool.replicas, seen):
            remove_worker(builder, seen, existing[number], cause, grace)
    for instance in instances:
        create_and_start(builder, instance, "the pool is scaled up")
    return builder.plan()
