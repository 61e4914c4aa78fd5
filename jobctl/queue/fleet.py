"""The workers: what they say of themselves and what they are told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from .status import Verdict


class MessageKind(StrEnum):
    """What a worker can be told."""

    CANCEL = "cancel"
    DRAIN = "drain"
    UNDRAIN = "undrain"


@dataclass(frozen=True)
class Message:
    """Something for one worker: cancel (id, attempt), drain (grace s | None), undrain."""

    kind: MessageKind
    id: str = ""
    attempt: int = 0
    grace: float | None = None


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker says of itself; `incarnation` is unique to this process."""

    name: str
    pool: str
    container: str
    incarnation: str
    concurrency: int
    queues: tuple[str, ...] = ("default",)


class WorkerStatus(StrEnum):
    """`lost`: no heartbeat for a lease. `drained`: draining, and holds nothing more.

    `trial`: it gets no job but its canary until that has succeeded.
    """

    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    DRAINED = "drained"
    TRIAL = "trial"
    LOST = "lost"


@dataclass(frozen=True)
class Worker:
    """A registered worker and the ids of the jobs it has leases on.

    `ended` is how many attempts this process ended, since it registered (`started_at`, ms).
    """

    name: str
    pool: str
    container: str
    incarnation: str
    status: WorkerStatus
    concurrency: int
    queues: tuple[str, ...]
    jobs: tuple[str, ...]
    started_at: int
    heartbeat_at: int
    ended: int = 0


@dataclass(frozen=True)
class Gauges:
    """What the engine measured of a worker's container since it started."""

    cpu_seconds: float
    memory_bytes: int
    throttled_seconds: float


class Renewal(NamedTuple):
    """The answer to a heartbeat: one verdict per lease, in order."""

    verdicts: list[Verdict]
    draining: bool
    known: bool
