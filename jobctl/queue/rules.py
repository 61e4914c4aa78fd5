"""What an operator rules about queues, arrays and what is kept; what can be asked of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .model import Job
from .status import Status


@dataclass(frozen=True)
class Rate:
    """A token bucket: `per_second` on average, at most `burst` at once."""

    per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.per_second < math.inf:
            raise ValueError("a rate must be more than 0 a second")
        if self.burst < 1:
            raise ValueError("a rate's burst must be at least 1")


@dataclass(frozen=True)
class QueueRates:
    """How fast a queue's jobs may be started and submitted; None is without limit."""

    start: Rate | None = None
    submit: Rate | None = None


@dataclass(frozen=True)
class Keep:
    """Ended jobs older than `age` (s), or more than `count`, go. None is without limit."""

    age: float | None = None
    count: int | None = None


@dataclass(frozen=True)
class Retention:
    """What is kept of the ended jobs, by how they ended."""

    succeeded: Keep = Keep()
    failed: Keep = Keep()
    cancelled: Keep = Keep()


class QueueState(StrEnum):
    """`paused`: nothing is claimed. `draining`: nothing is taken in, what is there runs."""

    OPEN = "open"
    PAUSED = "paused"
    DRAINING = "draining"


@dataclass(frozen=True, kw_only=True)
class QueueInfo:
    """One queue; `oldest_at` (ms) is when its oldest queued job was submitted.

    `parked` are jobs that wait for a place of their concurrency key: more workers would not
    help them. They are not among the `queued`, and `oldest_at` does not look at them.
    """

    name: str
    state: QueueState = QueueState.OPEN
    queued: int = 0
    parked: int = 0
    oldest_at: int | None = None
    start_rate: Rate | None = None
    submit_rate: Rate | None = None


@dataclass(frozen=True, kw_only=True)
class ArrayInfo:
    """Jobs submitted as one; `over` when all `size` of them have ended."""

    id: str
    size: int | None
    submitted: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    max_fails: int | None = None
    over: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is needed to say why a job stands where it stands.

    `rate_wait` is in how many seconds its queue may start a job again (None: now),
    `holders` the jobs that have the places of its concurrency key, `parents` the ids in
    `after` that are not over (an array has no status), `arrays` how many of how many jobs of
    the arrays among them are, `serving` the names of the living workers that take from its
    queue, `ahead` how many queued jobs come before it. Of a job that is held, `silence` is how
    many seconds ago its worker was last heard of, and `lease_left` in how many its lease ends,
    of the `lease` it had then.
    """

    job: Job
    now_ms: int
    queue_state: QueueState = QueueState.OPEN
    rate_wait: float | None = None
    holders: tuple[str, ...] = ()
    parked: bool = False
    parents: Mapping[str, Status | None] = field(default_factory=dict)
    arrays: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    serving: tuple[str, ...] = ()
    ahead: int | None = None
    lease: float = 0.0
    silence: float | None = None
    lease_left: float | None = None
