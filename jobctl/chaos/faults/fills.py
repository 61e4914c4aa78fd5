"""Faults that leave no room: in Redis."""

from __future__ import annotations

from jobctl.chaos import redis_memory
from jobctl.chaos.faults.maker import Maker, Undo
from jobctl.chaos.scene import Scene


def _fill_redis(scene: Scene) -> None:
    # Well below what it uses: while it is full, what ends makes a little room.
    used = redis_memory.used_by(scene.engine, scene.container)
    redis_memory.set_limit(scene.engine, scene.container, used // 2)


def _gives_redis_back(scene: Scene) -> Undo:
    return {"maxmemory": redis_memory.limit_of(scene.engine, scene.container)}


REDIS_FULL = Maker(_fill_redis, _gives_redis_back)
