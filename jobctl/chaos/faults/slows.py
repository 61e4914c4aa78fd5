"""Faults that keep a container from getting on: frozen, or short of processor or memory."""

from __future__ import annotations

from jobctl.chaos.errors import NotPossible
from jobctl.chaos.faults.maker import Maker, Undo
from jobctl.chaos.scene import Scene
from jobctl.engine.errors import Conflict

_LEAST_CPUS = 0.01
"""The engine takes no less."""

_MIB = 1024 * 1024


def _freeze(scene: Scene) -> None:
    try:
        scene.engine.pause(scene.container)
    except Conflict as error:
        raise NotPossible(f"{scene.instance} does not run any more.", "jobctl ps") from error


def _thaws(_scene: Scene) -> Undo:
    return {"thaw": True}


def _squeeze_cpu(scene: Scene) -> None:
    cpus = scene.number("cpus")
    if cpus < _LEAST_CPUS:
        raise NotPossible(f"A container needs {_LEAST_CPUS} cores at least.", "--cpus 0.05")
    scene.engine.update(scene.container, cpus=cpus, memory=scene.detail().memory)


def _squeeze_memory(scene: Scene) -> None:
    used = scene.engine.stats(scene.container)
    if used is None:
        raise NotPossible(f"{scene.instance} does not run any more.", "jobctl ps")
    detail = scene.detail()
    room = used.memory + round(scene.number("room") * _MIB)
    scene.engine.update(scene.container, cpus=detail.cpus, memory=min(room, detail.memory))


def _gives_back(scene: Scene) -> Undo:
    detail = scene.detail()
    return {"limits": {"cpus": detail.cpus, "memory": detail.memory}}


FREEZE = Maker(_freeze, _thaws)
SLOW_CPU = Maker(_squeeze_cpu, _gives_back)
MEMORY_PRESSURE = Maker(_squeeze_memory, _gives_back)
