"""Jobs, workers and events as the JSON that clients read. Times are ISO-8601 UTC or null."""

from datetime import UTC, datetime
from typing import Any

from typing_extensions import TypedDict

from jobctl.queue import Attempt, Event, Job, Transition, Worker


class AttemptView(TypedDict):
    """An attempt that ended and was not the accepted one."""

    attempt: int
    worker: str
    started_at: str | None
    ended_at: str | None
    cause: str | None
    exit_code: int | None
    signal: int | None
    reason: str


class BackoffView(TypedDict):
    """Pause between attempts, in seconds; ``jitter`` is a part of 1."""

    base: float
    cap: float
    jitter: float


class JobRow(TypedDict):
    """A job in short, as lists of many show it."""

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


class JobView(JobRow):
    """All of a job. ``checkpoint`` is JSON text; durations are seconds."""

    argv: list[str]
    env: dict[str, str]
    has_stdin: bool
    timeout: float | None
    grace: float
    max_attempts: int
    backoff: BackoffView
    array: str
    array_index: int | None
    checkpoint: str
    claimed_at: str | None
    due_at: str | None
    failures: int
    crashes: int
    incarnation: str
    cancelling: bool
    history: list[AttemptView]


class WorkerView(TypedDict):
    """A registered worker."""

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


def iso(ms: int | None) -> str | None:
    """Render milliseconds since the epoch, e.g. ``2026-01-01T00:00:00.000Z``."""
    if ms is None:
        return None
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def job_row(job: Job) -> JobRow:
    """Return a job in short."""
    return {
        "id": job.id,
        "name": job.name,
        "queue": job.queue,
        "status": job.status.value,
        "step": job.step,
        "progress": job.progress,
        "submitted_at": iso(job.submitted_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "attempt": job.attempt,
        "run": job.run,
        "accepted": job.accepted,
        "worker": job.worker,
        "cause": job.cause,
        "exit_code": job.exit_code,
        "signal": job.signal,
        "reason": job.reason,
    }


def job_view(job: Job) -> JobView:
    """Return all of a job but the bytes of its standard input."""
    return {
        **job_row(job),
        "argv": list(job.argv),
        "env": dict(job.env),
        "has_stdin": job.stdin is not None,
        "timeout": job.timeout,
        "grace": job.grace,
        "max_attempts": job.max_attempts,
        "backoff": {
            "base": job.backoff.base,
            "cap": job.backoff.cap,
            "jitter": job.backoff.jitter,
        },
        "array": job.array,
        "array_index": job.array_index,
        "checkpoint": job.checkpoint,
        "claimed_at": iso(job.claimed_at),
        "due_at": iso(job.due_at),
        "failures": job.failures,
        "crashes": job.crashes,
        "incarnation": job.incarnation,
        "cancelling": job.cancelling,
        "history": [_attempt_view(attempt) for attempt in job.history],
    }


def _attempt_view(attempt: Attempt) -> AttemptView:
    return {
        "attempt": attempt.attempt,
        "worker": attempt.worker,
        "started_at": iso(attempt.started_at),
        "ended_at": iso(attempt.ended_at),
        "cause": attempt.cause,
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "reason": attempt.reason,
    }


def worker_view(worker: Worker) -> WorkerView:
    """Return a worker."""
    return {
        "name": worker.name,
        "pool": worker.pool,
        "container": worker.container,
        "incarnation": worker.incarnation,
        "status": worker.status,
        "concurrency": worker.concurrency,
        "queues": list(worker.queues),
        "jobs": list(worker.jobs),
        "started_at": iso(worker.started_at),
        "heartbeat_at": iso(worker.heartbeat_at),
    }


def event_view(event: Event) -> dict[str, Any]:
    """Return one batch of transitions."""
    return {
        "at": iso(event.at_ms),
        "transitions": [_transition_view(transition) for transition in event.transitions],
    }


def _transition_view(transition: Transition) -> dict[str, Any]:
    return {
        "id": transition.id,
        "was": transition.was,
        "status": transition.status,
        "attempt": transition.attempt,
        "worker": transition.worker,
        "cause": transition.cause,
    }
