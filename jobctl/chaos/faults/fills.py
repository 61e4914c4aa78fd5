"""Faults that leave no room: in Redis, and on the volume of logs and outputs."""

from __future__ import annotations

from collections.abc import Mapping

from jobctl.chaos import ballast, redis_memory
from jobctl.chaos.errors import NotPossible
from jobctl.chaos.faults.maker import Maker, Undo
from jobctl.chaos.records import image_of
from jobctl.chaos.scene import Scene
from jobctl.cluster import labels, names


def _fill_redis(scene: Scene) -> None:
    # Well below what it uses: while it is full, what ends makes a little room.
    used = redis_memory.used_by(scene.engine, scene.container)
    redis_memory.set_limit(scene.engine, scene.container, used // 2)


def _gives_redis_back(scene: Scene) -> Undo:
    return {"maxmemory": redis_memory.limit_of(scene.engine, scene.container)}


def _fill_volume(scene: Scene) -> None:
    image = image_of(scene.rows, scene.project)
    ballast.load(scene.beside(image), _size(scene))


def _removes_ballast(scene: Scene) -> Undo:
    _size(scene)
    return {"ballast": {"image": image_of(scene.rows, scene.project)}}


def _size(scene: Scene) -> int:
    """Return the size of the volume of logs; raises NotPossible when it has none of its own."""
    name = names.volume(scene.project, "jobs")
    volume = scene.engine.volume(name)
    size = ballast.size_of(volume.options) if volume else None
    if size is None:
        raise NotPossible(
            f"The volume {name} has no size of its own: filling it would fill the disk of the "
            "engine's host.",
            f"jobctl down --volumes, then {_create(name, labels.for_volume(scene.project, 'jobs'))}"
            ", then jobctl up",
        )
    return size


def _create(name: str, marks: Mapping[str, str]) -> str:
    said = " ".join(f"--label {key}={value}" for key, value in marks.items())
    options = "--opt type=tmpfs --opt device=tmpfs --opt o=size=64m,mode=0751,gid=10001"
    return f"docker volume create {options} {said} {name}"


REDIS_FULL = Maker(_fill_redis, _gives_redis_back)
DISK_FULL = Maker(_fill_volume, _removes_ballast)
