"""What a fault is, as data: asked for, alive, or over at once. Imports nothing that acts.

`inject`, `undo`, `live_faults`, `heal` and `dry_run` are in jobctl.chaos.inject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Param: TypeAlias = str | float


class FaultKind(StrEnum):
    """What can be broken; `jobctl.chaos.catalogue` says of each how, and what to expect."""

    KILL_WORKER = "kill-worker"
    CRASH_WORKER = "crash-worker"
    STOP_WORKER = "stop-worker"
    PAUSE_WORKER = "pause-worker"
    KILL_MASTER = "kill-master"
    KILL_REDIS = "kill-redis"
    RESTART_REDIS = "restart-redis"
    PAUSE_REDIS = "pause-redis"
    PARTITION = "partition"
    SLOW_CPU = "slow-cpu"
    MEMORY_PRESSURE = "memory-pressure"
    OOM = "oom"
    DISK_FULL = "disk-full"
    REDIS_FULL = "redis-full"
    WRONG_CLOCK = "wrong-clock"
    CUT_CONNECTION = "cut-connection"
    KILL_CONTROLLER = "kill-controller"
    REMOVE_CONTAINER = "remove-container"
    RESTART_ENGINE = "restart-engine"
    KILL_COMMAND = "kill-command"


@dataclass(frozen=True)
class Fault:
    """A fault that is asked for.

    ``target`` is an instance (``worker-2``), None a random one of those that it can be done to.
    ``seconds`` is how long it lasts; None is as long as the catalogue says, and for those that
    are over at once (a kill) that nobody is kept from mending it. ``params`` are the catalogue's.
    """

    kind: FaultKind
    target: str | None = None
    seconds: float | None = None
    params: Mapping[str, Param] = field(default_factory=dict)


BEING_MADE = 0.0
"""When a fault was made whose maker is still at it, or died over it."""


@dataclass(frozen=True)
class LiveFault:
    """A fault that is being made, lasts, or was not yet undone: a file on the control volume.

    ``id`` is a ULID, ``container_id`` the container that was the instance then ("" for none).
    ``made_at`` (s since the epoch) is right before it was made, ``deadline`` when it is undone.
    ``undo`` is all that undoing it needs to know, whatever has become of it: restorations, each
    harmless when there is nothing to restore.
    """

    id: str
    kind: FaultKind
    instance: str
    container_id: str
    made_at: float
    deadline: float
    undo: Mapping[str, Json]


@dataclass(frozen=True)
class Instant:
    """A fault that is over: nothing of it is left to undo.

    ``begun`` is right before it was made, ``at`` when it was (s since the epoch).
    """

    id: str
    kind: FaultKind
    instance: str
    container_id: str
    at: float
    begun: float


@dataclass(frozen=True)
class Allowed:
    """The blast radius: what is beyond it is refused.

    ``kinds`` None means every one; ``at_once`` is how many instances may be under a live fault at
    the same time, ``share`` how much of a pool (a fraction of its workers), ``seconds`` how long
    each may last.
    """

    kinds: frozenset[FaultKind] | None = None
    at_once: int = 1
    share: float = 0.5
    seconds: float = 600.0
