"""How a container goes, as actions: jobs first, then the container. Pure."""

from collections.abc import Iterable

from jobctl.cluster.action import Action, PlanBuilder
from jobctl.cluster.containers import stop_timeout
from jobctl.cluster.observed import Observed, instance_of
from jobctl.engine.model import Container

# What the engine can only stop after it was thawed.
_ALIVE = ("running", "restarting", "paused")


def remove_worker(
    builder: PlanBuilder, seen: Observed, row: Container, cause: str, grace: float | None
) -> str:
    """Add a worker's way out and return the id of its last step.

    Its jobs get ``grace`` seconds before they are handed back; None lets them end. While the
    master does not answer, the stop signal alone must do: the worker then hands them back.
    """
    drained = drain_worker(builder, seen, row, cause, grace)
    return remove_container(builder, row, cause, seconds=stop_seconds(grace), after=drained)


def drain_worker(
    builder: PlanBuilder,
    seen: Observed,
    row: Container,
    cause: str,
    grace: float | None,
    *,
    after: Iterable[str] = (),
) -> list[str]:
    """Add the drain of a worker, if it runs and can be asked; return its id, or nothing."""
    if row.state != "running" or seen.loads is None:
        return []
    drain = Action("drain", "container", instance_of(row), cause, row.name, seconds=grace)
    return [builder.add(drain, after=["write spec", *after])]


def stop_seconds(grace: float | None) -> float:
    """Return what a worker gets to end, if it was not drained before."""
    return stop_timeout(grace if grace is not None else 10.0)


def remove_container(
    builder: PlanBuilder,
    row: Container,
    cause: str,
    *,
    seconds: float,
    after: Iterable[str] = (),
    force: bool = False,
) -> str:
    """Add the stop (if it lives) and removal of a container; return the id of the last step.

    With ``force`` there is no stop: whatever runs in it is killed.
    """
    name = instance_of(row)
    before = list(after)
    if force:
        return builder.add(Action("remove", "container", name, cause, row.name, force=True), before)
    before = stop_container(builder, row, cause, seconds=seconds, after=before)
    return builder.add(Action("remove", "container", name, cause, row.name), before)


def stop_container(
    builder: PlanBuilder, row: Container, cause: str, *, seconds: float, after: Iterable[str] = ()
) -> list[str]:
    """Add the stop of a container, if it lives; return what its removal has to wait for."""
    name, before = instance_of(row), list(after)
    if row.state == "paused":
        before.append(builder.add(Action("unpause", "container", name, cause, row.name), before))
    if row.state in _ALIVE:
        stop = Action("stop", "container", name, cause, row.name, seconds=seconds)
        before.append(builder.add(stop, before))
    return before
