"""`scale`: more or fewer workers, as a lasting override of the file. Others are never touched."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jobctl.cluster import labels, names
from jobctl.cluster.action import Action
from jobctl.cluster.autoscaled import check_not_autoscaled, pools_of
from jobctl.cluster.converge import converge
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.errors import ClusterError, NotUp, UnknownPool
from jobctl.cluster.events import OnEvent, ignore
from jobctl.cluster.executor import Executor
from jobctl.cluster.observed import Observed, observe
from jobctl.cluster.plan import check_schema
from jobctl.cluster.plan_scale import plan_scale
from jobctl.cluster.ready import wait_ready
from jobctl.engine.protocol import Engine

if TYPE_CHECKING:
    from jobctl.config import Config


@dataclass(frozen=True)
class ScaleReport:
    """Workers per pool before and after, and the names of those that went."""

    before: dict[str, int]
    after: dict[str, int]
    removed: list[str]


def scale(
    cluster: "Config | str",
    engine: Engine,
    pools: Mapping[str, int],
    *,
    grace: float | None = None,
    wait: bool = True,
    on_event: OnEvent = ignore,
) -> ScaleReport:
    """Bring pools to a number of workers; ``cluster`` is its config or its name.

    New workers are made from the spec that the cluster runs with, not from an edited file. Workers
    that go take no more jobs and end theirs first, or hand them back after ``grace`` seconds. With
    ``wait`` it returns when new workers have registered. Raises NotUp, UnknownPool, ClusterError.
    """
    project = cluster if isinstance(cluster, str) else cluster.name
    before: dict[str, int] = {}
    done: list[Action] = []

    def attempt() -> tuple[Observed, Desired]:
        seen = observe(engine, project)
        wanted = _wanted(seen, pools)
        for name in wanted.pools:
            before.setdefault(name, len(seen.pool(name)))
        executor = Executor(project, engine, seen.connection, on_event)
        try:
            executor.execute(plan_scale(wanted, seen, sorted(pools), grace))
        finally:
            done.extend(executor.outcome.done)
        return seen, wanted

    (seen, wanted), _ = converge("scale", attempt, on_event)
    created = {a.target for a in done if a.verb == "create" and a.kind == "container"}
    if wait and created and seen.connection is not None:
        wait_ready(engine, project, seen.connection, created, on_event=on_event)
    after = {**before, **{name: wanted.pools[name].replicas for name in pools}}
    return ScaleReport(before, after, [a.subject for a in done if a.verb == "remove"])


def _wanted(seen: Observed, pools: Mapping[str, int]) -> Desired:
    """Return the running cluster as it should be, with other replicas in these pools alone."""
    from jobctl.config import Config  # noqa: PLC0415 - pydantic is for those who scale
    from jobctl.config.pools import MAX_REPLICAS  # noqa: PLC0415

    if seen.master is None or seen.generation is None:
        raise NotUp(f"The cluster {seen.project} is not up.", "jobctl up")
    check_schema(seen)
    if labels.schema_of(seen.master.labels) != int(labels.SCHEMA):
        raise _of_another_version(seen.project)
    spec = seen.generation.spec
    try:
        config = Config.model_validate(spec.config)
    except ValueError as error:
        # Its cluster.yaml was fine when it was stored: this jobctl knows other settings.
        raise _of_another_version(seen.project) from error
    overrides = dict(spec.overrides)
    for name, count in pools.items():
        if name not in config.workers:
            known = ", ".join(names.worker_service(pool) for pool in sorted(config.workers))
            raise UnknownPool(f"There is no pool {name}; there is {known}.", "jobctl ps")
        check_not_autoscaled(config, seen.orders, name)
        if count > MAX_REPLICAS:
            service = names.worker_service(name)
            raise ClusterError(
                f"{count} workers are more than a pool can have ({MAX_REPLICAS}).",
                f"jobctl scale {service}={MAX_REPLICAS}",
            )
        overrides[name] = count
    # The autoscaler has other numbers than the file's, so that number counts there, too.
    scaled = pools_of(config)
    kept = {
        p: n for p, n in overrides.items() if p in scaled or n != config.workers[p].first_replicas
    }
    overrides = dict(sorted(kept.items()))
    return desired(replace(spec, overrides=overrides), config, labels.file_of(seen.master.labels))


def _of_another_version(project: str) -> ClusterError:
    return ClusterError(
        f"The cluster {project} was brought up by another version of jobctl.", "jobctl up"
    )
