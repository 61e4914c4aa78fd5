"""Jobs and events as the JSON that clients read. Times are ISO-8601 UTC or null."""

from datetime import UTC, datetime
from typing import Any

from typing_extensions import TypedDict

from jobctl.master.reply import parsed
from jobctl.queue import Attempt, Event, Job, JobSpec, Status, Transition


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


class RetryView(TypedDict):
    """When a failed job is tried again; pauses in seconds, ``jitter`` a part of 1."""

    max_attempts: int
    backoff: float
    max_backoff: float
    jitter: float
    on: dict[str, Any]


class ConcurrencyView(TypedDict):
    """How many jobs with this key run at once."""

    key: str
    limit: int


class JobRow(TypedDict):
    """A job in short, as lists of many show it."""

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


class JobView(JobRow):
    """All of a job. ``checkpoint`` is JSON text; durations are seconds.

    ``blockers`` is how many of the jobs in ``after`` are not over.
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
    concurrency: ConcurrencyView | None
    after: list[str]
    after_policy: str
    blockers: int
    retry: RetryView
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
    history: list[AttemptView]


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
        "function": job.function,
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
        "args": parsed(job.args),
        "result": parsed(job.result),
        "env": dict(job.env),
        "has_stdin": job.stdin is not None,
        "timeout": job.timeout,
        "grace": job.grace,
        "priority": job.priority,
        "key": job.key,
        "concurrency": _concurrency_view(job),
        "after": list(job.after),
        "after_policy": job.after_policy,
        "blockers": job.blockers,
        "retry": {
            "max_attempts": job.max_attempts,
            "backoff": job.backoff.base,
            "max_backoff": job.backoff.cap,
            "jitter": job.backoff.jitter,
            "on": dict(job.retry_on),
        },
        "array": job.array,
        "array_index": job.array_index,
        "array_size": job.array_size,
        "array_max_fails": job.array_max_fails,
        "checkpoint": job.checkpoint,
        "claimed_at": iso(job.claimed_at),
        "due_at": iso(job.due_at),
        "failures": job.failures,
        "crashes": job.crashes,
        "losses": job.losses,
        "incarnation": job.incarnation,
        "cancelling": job.cancelling,
        "history": [_attempt_view(attempt) for attempt in job.history],
    }


def queued(spec: JobSpec, now_ms: int) -> Job:
    """Return what a job is just after its submit, if nothing is in its way."""
    return Job(
        id=spec.id,
        status=Status.QUEUED,
        argv=spec.argv,
        function=spec.function,
        args=spec.args,
        name=spec.name,
        queue=spec.queue,
        env=spec.env,
        stdin=spec.stdin,
        timeout=spec.timeout,
        grace=spec.grace,
        priority=spec.priority,
        key=spec.key,
        concurrency_key=spec.concurrency_key,
        concurrency_limit=spec.concurrency_limit,
        max_attempts=spec.max_attempts,
        backoff=spec.backoff,
        retry_on=spec.retry_on,
        array=spec.array,
        array_index=spec.array_index,
        array_size=spec.array_size,
        array_max_fails=spec.array_max_fails,
        submitted_at=now_ms,
    )


def _concurrency_view(job: Job) -> ConcurrencyView | None:
    if job.concurrency_limit is None:
        return None
    return {"key": job.concurrency_key, "limit": job.concurrency_limit}


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
