"""The words of the queue: statuses, causes, and the one table of transitions.

The Lua library gets this table at load time (see `library.py`), the diagram in
`docs/queue.md` is drawn from it, and the tests hold what Redis really did against it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Where a job stands. `claimed` is leased to a worker but not yet started."""

    BLOCKED = "blocked"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """True when the run is over; only `retry` leads out of here."""
        return self in TERMINAL

    @property
    def held(self) -> bool:
        """True while a worker has a lease on the job."""
        return self in HELD


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
HELD = frozenset({Status.CLAIMED, Status.RUNNING})
# `jobs:<status>` lists them. Most jobs are claimed for a moment only, and its worker has them.
INDEXED = frozenset(Status) - {Status.CLAIMED}


class Cause(StrEnum):
    """Why an attempt ended other than by success."""

    EXIT = "exit"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    OOM = "oom"
    WORKER_LOST = "worker-lost"
    NODE_LOST = "node-lost"
    WATCHDOG = "watchdog"
    CHAOS = "chaos"
    SCALE_DOWN = "scale-down"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


# What an ended attempt counts as. A cause in neither set was ordered by the cluster
# itself (scale-down, watchdog) or by the user (cancelled): it never uses up a retry.
FAILURES = frozenset({Cause.EXIT, Cause.SIGNAL, Cause.TIMEOUT, Cause.OOM, Cause.REJECTED})
CRASHES = frozenset({Cause.WORKER_LOST, Cause.NODE_LOST, Cause.CHAOS})

# What counts when a worker is released: as a crash of the jobs that ran there, as a loss of
# those that had not begun, as far as the queue knows. Of these, `oom` is its supervisor's. A
# job whose own processes needed too much says so in its finish, and that is a failure.
LOSSES = CRASHES | {Cause.OOM}

# A job that took its worker down this often is failed instead of tried again.
MAX_CRASHES = 3

# The same for a job that was never known to run when that happened: a start is told after a
# tenth of a second, and what takes its worker down sooner must come to an end, too. High,
# because most of them only waited beside somebody else's crash.
MAX_LOSSES = 10


class Verdict(StrEnum):
    """The fence's answer to a worker's write."""

    OK = "ok"
    STALE = "stale"  # the attempt is not (or no longer) the one that may write
    MISSING = "missing"  # there is no such job


class Edge(NamedTuple):
    """One allowed transition; `was` is None for a job that is being submitted."""

    was: Status | None
    to: Status
    by: str


TRANSITIONS: tuple[Edge, ...] = (
    Edge(None, Status.QUEUED, "submit"),
    Edge(None, Status.SCHEDULED, "submit with a delay"),
    Edge(None, Status.BLOCKED, "submit after others"),
    Edge(None, Status.CANCELLED, "submit after one that failed, or to an array that is over"),
    Edge(None, Status.SUCCEEDED, "restore from a backup"),
    Edge(None, Status.FAILED, "restore from a backup"),
    Edge(Status.BLOCKED, Status.QUEUED, "its parents are over"),
    Edge(Status.BLOCKED, Status.SCHEDULED, "its parents are over, its time has not come"),
    Edge(Status.BLOCKED, Status.CANCELLED, "cancel, or a parent failed"),
    Edge(Status.SCHEDULED, Status.QUEUED, "promote: its delay or backoff is over"),
    Edge(Status.SCHEDULED, Status.CANCELLED, "cancel"),
    Edge(Status.QUEUED, Status.CLAIMED, "claim"),
    Edge(Status.QUEUED, Status.CANCELLED, "cancel"),
    Edge(Status.CLAIMED, Status.RUNNING, "start"),
    Edge(Status.CLAIMED, Status.QUEUED, "hand back, or its worker was lost"),
    Edge(Status.CLAIMED, Status.SCHEDULED, "finish: failed, tries left"),
    Edge(Status.CLAIMED, Status.SUCCEEDED, "finish (a short job's start comes with it)"),
    Edge(Status.CLAIMED, Status.FAILED, "finish: failed for good, or quarantine"),
    Edge(Status.CLAIMED, Status.CANCELLED, "cancel"),
    Edge(Status.RUNNING, Status.QUEUED, "hand back, or its worker was lost"),
    Edge(Status.RUNNING, Status.SCHEDULED, "finish: failed, tries left"),
    Edge(Status.RUNNING, Status.SUCCEEDED, "finish"),
    Edge(Status.RUNNING, Status.FAILED, "finish: failed for good, or quarantine"),
    Edge(Status.RUNNING, Status.CANCELLED, "finish or loss after a cancel"),
    Edge(Status.SUCCEEDED, Status.QUEUED, "retry"),
    Edge(Status.FAILED, Status.QUEUED, "retry"),
    Edge(Status.CANCELLED, Status.QUEUED, "retry"),
)
