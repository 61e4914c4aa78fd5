"""What the master answers, as typed dictionaries: exactly the JSON, nothing renamed.

Times are ISO-8601 UTC or None, durations seconds, sizes bytes.
"""

from dataclasses import dataclass
from typing import Literal, TypedDict


class Attempt(TypedDict):
    """An attempt that ended and was not the accepted one."""

    attempt: int
    worker: str
    started_at: str | None
    ended_at: str | None
    cause: str | None
    exit_code: int | None
    signal: int | None
    reason: str


class Backoff(TypedDict):
    """Pause between attempts; ``jitter`` is a part of 1."""

    base: float
    cap: float
    jitter: float


class JobRow(TypedDict):
    """A job in short."""

    id: str
    name: str
    queue: str
    status: str
    step: str
    progress: float | None
    submitted_at: str | None
    started_at: str | None
    finished_at: str | None
    attempt: int
    run: int
    accepted: int | None
    worker: str
    cause: str | None
    exit_code: int | None
    signal: int | None
    reason: str


class Job(JobRow):
    """All of a job."""

    argv: list[str]
    env: dict[str, str]
    has_stdin: bool
    timeout: float | None
    grace: float
    max_attempts: int
    backoff: Backoff
    array: str
    array_index: int | None
    checkpoint: str
    claimed_at: str | None
    due_at: str | None
    failures: int
    crashes: int
    incarnation: str
    cancelling: bool
    history: list[Attempt]


class Page(TypedDict):
    """Part of a listing; ``cursor`` continues it and is None at the end."""

    jobs: list[Job]
    cursor: str | None


class Worker(TypedDict):
    """A registered worker and the ids of the jobs it holds."""

    name: str
    pool: str
    container: str
    incarnation: str
    status: str
    concurrency: int
    queues: list[str]
    jobs: list[str]
    started_at: str | None
    heartbeat_at: str | None


class Artifact(TypedDict):
    """A file in a job's output folder."""

    path: str
    size: int


class Artifacts(TypedDict):
    """The files of one attempt; None for a job that ended without one.

    ``complete`` is False when there are more files than the master lists.
    """

    attempt: int | None
    files: list[Artifact]
    complete: bool


@dataclass(frozen=True)
class Array:
    """An array that was submitted: its id, and those of its jobs in their order."""

    id: str
    ids: list[str]


class ArrayInfo(TypedDict):
    """How far an array is; ``over`` when all its members have ended, or too many failed."""

    id: str
    size: int
    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    max_fails: int | None
    over: bool


class Rate(TypedDict):
    """So many a second on average, at most ``burst`` at once."""

    per_second: float
    burst: int


class QueueInfo(TypedDict):
    """A queue; ``state`` is open, paused or draining, ``oldest_at`` when its head was queued."""

    name: str
    state: str
    queued: int
    oldest_at: str | None
    start_rate: Rate | None
    submit_rate: Rate | None


class Reason(TypedDict):
    """One thing that keeps a job from running, or ended it; ``hint`` is a next command."""

    kind: str
    text: str
    hint: str


class Explanation(TypedDict):
    """Why a job does not run, or ended as it did."""

    summary: str
    reasons: list[Reason]


class Retried(TypedDict):
    """One page of jobs that run once more; ``cursor`` is None at the end."""

    ids: list[str]
    cursor: str | None


class Schedule(TypedDict):
    """A job that is submitted by the clock; ``last_at`` and ``next_at`` are its ticks."""

    name: str
    cron: str
    timezone: str
    missed: str
    last_at: str | None
    next_at: str | None


class Transition(TypedDict):
    """A job's change of status; ``was`` is None when it was submitted."""

    id: str
    was: str | None
    status: str
    attempt: int
    worker: str
    cause: str | None


class Event(TypedDict):
    """All transitions of one moment; ``id`` resumes the stream after it."""

    id: str
    at: str
    transitions: list[Transition]


class LogEvent(TypedDict):
    """Text that an attempt wrote; ``offset`` is the byte after it in the attempt's log."""

    event: Literal["log"]
    attempt: int
    offset: int
    text: str


class StatusEvent(TypedDict):
    """The followed job's status now; ``end`` is the last event there is."""

    event: Literal["status", "end"]
    status: str
    attempt: int
    cause: str | None
    exit_code: int | None
    signal: int | None
    reason: str


FollowEvent = LogEvent | StatusEvent

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
"""The statuses in which a job has ended."""
