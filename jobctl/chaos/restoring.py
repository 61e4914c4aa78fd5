"""What undoes faults: restorations, each harmless when there is nothing to restore.

A fault's record names those that it needs, with what they need to know. They ask what is there
rather than what was done: a fault may have been made half, undone half, or by two at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jobctl.chaos import ballast, making, redis_memory, rules
from jobctl.chaos.beside import Beside, name_of
from jobctl.chaos.errors import NotUndone
from jobctl.chaos.fault import LiveFault
from jobctl.cluster.errors import ClusterError
from jobctl.engine.errors import EngineError, NotFound
from jobctl.engine.model import Container, ContainerDetail
from jobctl.engine.protocol import Engine

_HEAL = "jobctl chaos heal"
_STOP = 15.0
"""Seconds that a container gets to end."""


@dataclass(frozen=True)
class Wound:
    """A fault to be undone, and the containers of its project."""

    engine: Engine
    project: str
    rows: list[Container]
    live: LiveFault

    def victim(self) -> ContainerDetail | None:
        """Return the container that it was made to, as it is now.

        None when that is gone, or another one has its place: the fault went with it.
        """
        return self.engine.inspect(self.live.container_id) if self.live.container_id else None

    def beside(self, image: str) -> Beside:
        """Return what makes containers for undoing it."""
        return Beside(self.engine, self.project, self.live.id, image)


def restore(wound: Wound) -> None:
    """Carry out all restorations of a fault, in their order; raises EngineError, ClusterError."""
    unknown = wound.live.undo.keys() - RESTORATIONS.keys()
    if unknown:
        raise NotUndone(
            f"The fault {wound.live.id} was made by another version of jobctl: it knows how to "
            f"undo {', '.join(sorted(unknown))}.",
            "upgrade jobctl, then jobctl chaos heal",
        )
    for name, restoration in RESTORATIONS.items():
        if name in wound.live.undo:
            restoration(wound, wound.live.undo[name])


def _helpers(wound: Wound, said: Any) -> None:
    """Remove the containers that the fault was made with."""
    for name in said:
        wound.engine.remove(name, force=True)


def _exist(wound: Wound, said: Any) -> None:
    """Have the instance as the stored spec wants it; one with the fault's mark is none."""
    marked = said.get("mark")
    for row in wound.rows:
        if marked and row.labels.get(making.MARK) == marked:
            with suppress(NotFound):  # another undoes it, too
                wound.engine.stop(row.id, _STOP)  # politely: to make the fault was bad enough
            wound.engine.remove(row.id, force=True)
    making.make_anew(wound.engine, wound.project, wound.live.instance)


def _thaw(wound: Wound, _said: Any) -> None:
    victim = wound.victim()
    if victim is not None and victim.state == "paused":
        _settled(
            lambda: wound.engine.unpause(victim.id),
            lambda: (now := wound.victim()) is None or now.state != "paused",
        )


def _limits(wound: Wound, said: Any) -> None:
    victim = wound.victim()
    if victim is not None and (victim.cpus, victim.memory) != (said["cpus"], said["memory"]):
        wound.engine.update(victim.id, cpus=said["cpus"], memory=said["memory"])


def _networks(wound: Wound, said: Any) -> None:
    for network, place in said.items():
        _join(wound, network, tuple(place["aliases"]), place["address"])


def _join(wound: Wound, network: str, aliases: tuple[str, ...], address: str) -> None:
    victim = wound.victim()
    if victim is None or network in victim.aliases:
        return
    if address and victim.state in ("running", "paused"):
        try:
            wound.engine.connect(network, victim.id, aliases, address)
        except EngineError:
            # Taken meanwhile, or the engine gives addresses as it likes: no subnet was chosen.
            pass
        else:
            return
    _settled(
        lambda: wound.engine.connect(network, victim.id, aliases),
        lambda: (now := wound.victim()) is None or network in now.aliases,
    )


def _run(wound: Wound, _said: Any) -> None:
    victim = wound.victim()
    if victim is not None and victim.state in ("exited", "created"):
        _settled(
            lambda: wound.engine.start(victim.id),
            lambda: (now := wound.victim()) is None or now.state == "running",
        )


def _maxmemory(wound: Wound, said: Any) -> None:
    victim = wound.victim()
    # One that ended since has what cluster.yaml says.
    if victim is not None and victim.state == "running":
        redis_memory.set_limit(wound.engine, victim.id, said)


def _rules(wound: Wound, said: Any) -> None:
    victim = wound.victim()
    if victim is None or victim.state not in ("running", "paused"):
        # The rules went with its network namespace, but not what was to put them there.
        wound.engine.remove(name_of(wound.project, wound.live.id), force=True)
        return
    _settled(
        lambda: rules.clean(wound.beside(said["image"]), victim.id),
        lambda: (now := wound.victim()) is None or now.started_at != victim.started_at,
    )


def _ballast(wound: Wound, said: Any) -> None:
    ballast.unload(wound.beside(said["image"]))


RESTORATIONS: Mapping[str, Callable[[Wound, Any], None]] = {
    "rules": _rules,
    "helpers": _helpers,
    "ballast": _ballast,
    "exist": _exist,
    "thaw": _thaw,
    "limits": _limits,
    "networks": _networks,
    "run": _run,
    "maxmemory": _maxmemory,
}
"""By what records call them, in the order in which they are carried out."""


def _settled(act: Callable[[], None], done: Callable[[], bool]) -> None:
    """Do something; that it fails is no matter when it is so all the same: by somebody else."""
    try:
        act()
    except (EngineError, ClusterError):
        if not done():
            raise
