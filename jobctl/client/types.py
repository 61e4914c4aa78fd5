"""What the master answers, as typed dictionaries: exactly the JSON, nothing renamed.

Times are ISO-8601 UTC or None, durations seconds, sizes bytes.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypedDict


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


class RetryRules(TypedDict):
    """When a failed job is tried again; pauses in seconds, ``jitter`` a part of 1."""

    max_attempts: int
    backoff: float
    max_backoff: float
    jitter: float
    on: dict[str, Any]


class Concurrency(TypedDict):
    """How many jobs with this key run at once."""

    key: str
    limit: int


class JobRow(TypedDict):
    """A job in short."""

    id: str
    name: str
    function: str
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
    """All of a job. ``blockers`` is how many of the jobs in ``after`` are not over.

    ``crashes`` counts workers lost while it ran, ``losses`` those lost before it was known to.
    """

    argv: list[str]
    args: dict[str, Any] | list[Any] | None
    result: Any
    env: dict[str, str]
    has_stdin: bool
    timeout: float | None
    grace: float
    priority: int
    key: str
    concurrency: Concurrency | None
    after: list[str]
    after_policy: str
    blockers: int
    retry: RetryRules
    array: str
    array_index: int | None
    array_size: int | None
    array_max_fails: int | None
    checkpoint: str
    claimed_at: str | None
    due_at: str | None
    failures: int
    crashes: int
    losses: int
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
    """How far an array is; ``over`` when all ``size`` of its jobs have ended."""

    id: str
    size: int | None
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


class QueueState(TypedDict):
    """What a queue does: it is open, paused or draining."""

    name: str
    state: str


class QueueInfo(QueueState):
    """A queue; ``oldest_at`` is when the oldest job that waits in it was submitted.

    ``parked`` jobs, which are not among the ``queued``, wait for a place of their concurrency key.
    """

    queued: int
    parked: int
    oldest_at: str | None
    start_rate: Rate | None
    submit_rate: Rate | None


class Reason(TypedDict):
    """One thing that keeps a job where it is; ``hint`` is what to do about it."""

    kind: str
    text: str
    hint: str


class Explanation(TypedDict):
    """Why a job is where it is: in one sentence, and one by one."""

    id: str
    status: str
    summary: str
    reasons: list[Reason]


class Retried(TypedDict):
    """One page of jobs that run once more; ``cursor`` is None at the end."""

    ids: list[str]
    cursor: str | None


class Schedule(TypedDict):
    """A job that is submitted by the clock.

    ``problem`` says why its last tick could not be fired, "" if it was.
    """

    name: str
    cron: str
    timezone: str
    missed: str
    last_at: str | None
    next_at: str | None
    problem: str
    job: dict[str, Any]


class Restored(TypedDict):
    """What was put back: ``restored`` jobs that were not there; ``counts``: what the file held."""

    restored: int
    counts: dict[str, int]


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
