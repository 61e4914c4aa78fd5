"""Making an instance of the cluster anew, as its stored spec wants it."""

from __future__ import annotations

from jobctl.cluster import events, labels
from jobctl.cluster.desired import Desired, Instance, desired
from jobctl.cluster.executor import Executor
from jobctl.cluster.observed import Observed, observe
from jobctl.cluster.plan_heal import plan_heal
from jobctl.engine.errors import Conflict, NotFound
from jobctl.engine.protocol import Engine

MARK = "jobctl.fault"
"""The label of a container that a fault put in the place of another: the fault's id."""

_TRIES = 3


def make_anew(engine: Engine, project: str, instance: str) -> None:
    """Make and start an instance that is missing; one that is there and runs is left alone.

    So is one that is not wanted any more. Raises EngineError and ClusterError.
    """
    for left in reversed(range(_TRIES)):
        seen = observe(engine, project, ask=False)
        wanted = wanted_of(seen)
        if wanted is None:
            return
        others = {a.subject for a in plan_heal(wanted, seen).actions} - {instance}
        try:
            Executor(project, engine, None, events.ignore).execute(plan_heal(wanted, seen, others))
        except (Conflict, NotFound):
            if not left:
                raise  # somebody else makes it at the same moment, and has not come to an end
        else:
            return


def instance_wanted(engine: Engine, project: str, name: str) -> Instance | None:
    """Return what an instance should be; None for one that is not wanted."""
    wanted = wanted_of(observe(engine, project, ask=False))
    service, _, number = name.rpartition("-")
    if wanted is None or not number.isdecimal():
        return None
    pools = (pool.template for pool in wanted.pools.values())
    templates = {t.service: t for t in (*pools, *(t for t, _ in wanted.services()))}
    return templates[service].instance(int(number)) if service in templates else None


def wanted_of(seen: Observed) -> Desired | None:
    """Return what the stored spec wants; None when there is none to be read."""
    if seen.generation is None:
        return None
    from jobctl.config import Config  # noqa: PLC0415 - pydantic is for those who need it

    files = (labels.file_of(row.labels) for row in seen.containers.values())
    config = Config.model_validate(seen.generation.spec.config)
    return desired(seen.generation.spec, config, next((path for path in files if path), ""))
