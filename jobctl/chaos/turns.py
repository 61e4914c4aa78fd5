"""Containers whose fixed name is a lock: who has created one has his turn until it is removed."""

from __future__ import annotations

import time

from jobctl.cluster import labels, owner
from jobctl.cluster.errors import ClusterError, NameTaken
from jobctl.engine.errors import Conflict
from jobctl.engine.model import Container, ContainerSpec
from jobctl.engine.protocol import Engine

_PATIENCE = 60.0
_POLL = 0.02


def create(engine: Engine, project: str, wanted: ContainerSpec) -> None:
    """Create a container when nobody else has one of that name, or he is dead.

    Raises ClusterError when he holds it for a minute, and NameTaken when it is not the project's.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            engine.create(wanted)
        except Conflict:
            _await_release(engine, project, wanted.name, deadline)
        else:
            return


def is_abandoned(held: Container) -> bool:
    """Tell whether a container is held by nobody any more."""
    return owner.is_abandoned(held.labels.get(labels.OWNER, ""), held.created)


def _await_release(engine: Engine, project: str, name: str, deadline: float) -> None:
    """Wait a little; take it from an owner who is gone, or has had it for too long."""
    held = next((row for row in engine.containers({}) if row.name == name), None)
    if held is None:
        return
    if not labels.is_ours(held.labels, project):
        raise NameTaken(
            f"A container named {name} already exists and does not belong to this cluster.",
            f"docker rm {name}",
        )
    if is_abandoned(held):
        engine.remove(held.id, force=True)  # by id: another's has another one
    elif time.monotonic() > deadline:
        raise ClusterError(f"Another jobctl has held {name} for too long.", f"docker rm -f {name}")
    else:
        time.sleep(_POLL)
