"""What goes into the queue and what comes out: plain frozen records.

All instants are integers, milliseconds since 1970 by Redis' clock; all durations are
seconds as floats.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from .errors import InvalidSpec
from .ids import is_id
from .status import Cause, Status, Verdict

MAX_BATCH = 500
"""The most specs one `submit` takes: one call must never keep Redis busy for long."""

_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ENV_NAME = re.compile(r"[^=\0]+")
_MAX_NAME = 200
_MAX_SPEC_BYTES = 1 << 20


def _require(good: bool, message: str) -> None:
    if not good:
        raise InvalidSpec(f"This job cannot be submitted: {message}.")


@dataclass(frozen=True)
class Backoff:
    """How long a failed job waits: base * 2^(failures-1) s, at most cap, +- jitter (0..1)."""

    base: float = 1.0
    cap: float = 60.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        _require(0 <= self.base <= self.cap < math.inf, "backoff needs 0 <= base <= cap")
        _require(0 <= self.jitter <= 1, "backoff jitter must be between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """What a caller asks for. `grace` is the time between SIGTERM and SIGKILL."""

    id: str
    argv: tuple[str, ...]
    name: str = ""
    queue: str = "default"
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes | None = None
    timeout: float | None = None
    grace: float = 10.0
    max_attempts: int = 1
    backoff: Backoff = Backoff()
    array: str = ""
    array_index: int | None = None

    def __post_init__(self) -> None:
        _require(is_id(self.id), f"{self.id!r} is not a job id (a 26-character ULID)")
        _require(bool(self.argv) and bool(self.argv[0]), "a job needs a command")
        _require(not any("\0" in a for a in self.argv), "an argument cannot hold a NUL byte")
        _require(_QUEUE.fullmatch(self.queue) is not None, f"{self.queue!r} is no queue name")
        _require(
            len(self.name) <= _MAX_NAME and self.name.isprintable(),
            f"a job's name is at most {_MAX_NAME} printable characters",
        )
        for name, value in self.env.items():
            good = _ENV_NAME.fullmatch(name) is not None and "\0" not in value
            _require(good, f"{name!r} cannot be an environment variable")
        limit = self.timeout
        _require(limit is None or 0 < limit < math.inf, "timeout must be more than 0")
        _require(0 <= self.grace < math.inf, "grace must be a time of 0 or more")
        _require(self.max_attempts >= 1, "max_attempts must be at least 1")
        size = sum(map(len, self.argv)) + len(self.stdin or b"")
        size += sum(len(k) + len(v) for k, v in self.env.items())
        _require(size <= _MAX_SPEC_BYTES, "command, environment and stdin exceed 1 MiB")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An ended attempt whose result is not the job's."""

    attempt: int
    worker: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as Redis has it: the spec, and all that became of it.

    `attempt` is the fence (the latest one handed out), `accepted` the attempt whose
    finish ended the run and whose output is the job's (None: no worker delivered the
    end). `history` holds the last 20 other ended attempts, newest last.
    """

    id: str
    argv: tuple[str, ...]
    status: Status
    name: str = ""
    queue: str = "default"
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes | None = None
    timeout: float | None = None
    grace: float = 10.0
    max_attempts: int = 1
    backoff: Backoff = Backoff()
    array: str = ""
    array_index: int | None = None
    step: str = ""
    progress: float | None = None
    checkpoint: str = ""
    submitted_at: int | None = None
    claimed_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    due_at: int | None = None
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    run: int = 1
    worker: str = ""
    incarnation: str = ""
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    cancelling: bool = False
    accepted: int | None = None
    history: tuple[Attempt, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. `cause` is required unless it succeeded."""

    succeeded: bool
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.succeeded != (self.cause is None):
            raise ValueError("an outcome is either a success or has a cause")


@dataclass(frozen=True)
class Finish:
    """A worker's word on an attempt; `started_at` (ms) is when its command began."""

    id: str
    attempt: int
    outcome: Outcome
    started_at: int | None = None


class Submitted(NamedTuple):
    """`created` is False when the id was there already (a repeated submit)."""

    id: str
    created: bool


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
    """`lost`: no heartbeat for a lease. `drained`: draining, and holds nothing more."""

    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    DRAINED = "drained"
    LOST = "lost"


@dataclass(frozen=True)
class Worker:
    """A registered worker and the ids of the jobs it has leases on."""

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


class Renewal(NamedTuple):
    """The answer to a heartbeat: one verdict per lease, in order."""

    verdicts: list[Verdict]
    draining: bool
    known: bool


class Page(NamedTuple):
    """Part of a listing; `cursor` continues it and is None at the end."""

    jobs: list[Job]
    cursor: str | None


@dataclass(frozen=True)
class Transition:
    """A job's change of status; `was` is None when it was submitted."""

    id: str
    was: Status | None
    status: Status
    attempt: int
    worker: str = ""
    cause: Cause | None = None


@dataclass(frozen=True)
class Event:
    """All transitions of one call; `id` resumes the stream after it."""

    id: str
    at_ms: int
    transitions: tuple[Transition, ...]
