"""The plan for workers that hold no jobs any more and are not wanted: they are removed. Pure."""

from collections.abc import Iterable

from jobctl.cluster.action import Plan, PlanBuilder
from jobctl.cluster.containers import SHORT_STOP
from jobctl.cluster.removal import remove_container
from jobctl.engine.model import Container


def plan_depart(rows: Iterable[Container], cause: str) -> Plan:
    """Return what stops and removes these containers."""
    builder = PlanBuilder()
    for row in rows:
        remove_container(builder, row, cause, seconds=SHORT_STOP)
    return builder.plan()
