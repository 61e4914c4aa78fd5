"""Why a job is where it is, and why it ended as it did: said in sentences.

Pure: what is known comes in as `Facts`, and so does the time.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import StrEnum

from .model import Attempt, Job
from .rules import Facts, QueueState
from .span import span
from .status import LOSSES, MAX_CRASHES, MAX_LOSSES, Cause, Status

_FEW = 5  # names in one sentence

# A worker that was not heard of for this part of its lease missed two heartbeats.
_SILENT = 0.6


class Why(StrEnum):
    """What kind of reason it is."""

    BLOCKED = "blocked"
    DELAY = "delay"
    BACKOFF = "backoff"
    PAUSED = "paused"
    RATE = "rate"
    LIMIT = "limit"
    NO_WORKER = "no-worker"
    WAITING_ITS_TURN = "waiting-its-turn"
    CLAIMED = "claimed"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SILENT = "silent"
    ENDED = "ended"


@dataclass(frozen=True)
class Reason:
    """One sentence; `hint` is the next command, or ""."""

    kind: Why
    text: str
    hint: str = ""


@dataclass(frozen=True)
class Explanation:
    """One sentence that sums up, and the reasons, the weightiest first."""

    summary: str
    reasons: tuple[Reason, ...]


def explain(facts: Facts, now_ms: int, scaled: Container[str] = ()) -> Explanation:
    """What `facts` say of their job at an instant (ms since 1970).

    `scaled` are the queues for which an autoscaler starts workers when jobs wait there.
    """
    job = facts.job
    said = _SUMMARIES[job.status]
    if job.status.held and _is_silent(facts):
        said += ", but nothing was heard of its worker for a while"
    return Explanation(f"Job {job.id} {said}.", tuple(_reasons(facts, now_ms, scaled)))


_SUMMARIES = {
    Status.BLOCKED: "is blocked: it waits for other jobs",
    Status.SCHEDULED: "is scheduled: its time has not come",
    Status.QUEUED: "is queued: no worker has taken it yet",
    Status.CLAIMED: "is claimed: a worker has taken it and will start it",
    Status.RUNNING: "is running",
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.CANCELLED: "was cancelled",
}


def _reasons(facts: Facts, now_ms: int, scaled: Container[str]) -> Iterator[Reason]:
    job = facts.job
    if job.status is Status.BLOCKED:
        yield from _blocked(facts, now_ms)
    elif job.status is Status.SCHEDULED:
        yield _scheduled(job, now_ms)
    elif job.status is Status.QUEUED:
        yield from _queued(facts, scaled)
    elif job.status.held:
        yield from _held(facts, now_ms)
    else:
        yield _ended(job)
    for attempt in reversed(job.history):
        yield Reason(Why.ENDED, _earlier(attempt))


# -- not started yet ---------------------------------------------------------------


def _blocked(facts: Facts, now_ms: int) -> Iterator[Reason]:
    ids = sorted(facts.parents)
    for parent in ids[:_FEW]:
        status = facts.parents[parent]
        what = f"job {parent}, which is {status}" if status else _array(facts, parent)
        hint = f"jobctl explain {parent}" if status else f"jobctl jobs --array {parent}"
        yield Reason(Why.BLOCKED, f"It waits for {what}.", hint)
    if len(ids) > _FEW:
        yield Reason(Why.BLOCKED, f"It waits for {len(ids) - _FEW} others.")
    due = facts.job.due_at
    if due is not None and due > now_ms:
        wait = span((due - now_ms) / 1000)
        yield Reason(Why.DELAY, f"Also then it will not start before {wait} from now.")


def _array(facts: Facts, array: str) -> str:
    over, size = facts.arrays.get(array, (0, 0))
    told = f": {over} of {size} are over" if size else ""
    return f"the jobs of array {array}{told}"


def _scheduled(job: Job, now_ms: int) -> Reason:
    left = ((job.due_at or now_ms) - now_ms) / 1000
    when = f"in {span(left)}" if left > 0 else "now, as soon as the master or a worker looks"
    if job.failures:
        tries = f"it failed {_times(job.failures)} and has {_times(job.max_attempts)} in all"
        return Reason(Why.BACKOFF, f"It is tried again {when}: {tries}.")
    return Reason(Why.DELAY, f"It was submitted for later: it is due {when}.")


def _queued(facts: Facts, scaled: Container[str]) -> Iterator[Reason]:
    job = facts.job
    if facts.queue_state is QueueState.PAUSED:
        yield Reason(
            Why.PAUSED, f"Its queue {job.queue} is paused.", f"jobctl queue resume {job.queue}"
        )
    if not facts.serving:
        yield _unserved(job.queue, job.queue in scaled)
    if facts.parked:
        yield Reason(Why.LIMIT, _limit(facts))
    if facts.rate_wait is not None:
        yield Reason(
            Why.RATE,
            f"Its queue {job.queue} has used up its rate; the next job may start in "
            f"{span(facts.rate_wait)}.",
        )
    if facts.ahead is not None:
        where = f"for the key {job.concurrency_key!r}" if facts.parked else f"in {job.queue}"
        ahead = f"{facts.ahead} jobs are" if facts.ahead != 1 else "1 job is"
        turn = f"{ahead} before it {where}" if facts.ahead else f"It is the next {where}"
        yield Reason(Why.WAITING_ITS_TURN, f"{turn}{_served_by(facts.serving)}.")


def _unserved(queue: str, scaled: bool) -> Reason:
    if scaled:
        text = f"No worker serves its queue {queue} yet: the autoscaler is to start one for it."
        return Reason(Why.NO_WORKER, text, "jobctl autoscale status")
    text = f"No living worker serves its queue {queue} (see `queues` of the pools)."
    return Reason(Why.NO_WORKER, text, "jobctl ps")


def _limit(facts: Facts) -> str:
    job, holders = facts.job, facts.holders
    most = "1 job" if job.concurrency_limit == 1 else f"{job.concurrency_limit} jobs"
    text = f"At most {most} with the key {job.concurrency_key!r} may run at once"
    if not holders:
        return f"{text}; there is a place now, and it will be let in."
    return f"{text}; now: {_list(holders)}."


def _served_by(workers: tuple[str, ...]) -> str:
    return f"; served by {_list(workers)}" if workers else ""


# -- on a worker -------------------------------------------------------------------


def _is_silent(facts: Facts) -> bool:
    return facts.silence is not None and facts.silence > _SILENT * facts.lease


def _silent(facts: Facts) -> Reason:
    left = facts.lease_left or 0.0
    ends = f"ends in {span(left)}" if left > 0 else "has ended"
    return Reason(
        Why.SILENT,
        f"Its worker {facts.job.worker} was last heard of {span(facts.silence or 0.0)} ago; the "
        f"lease {ends}, and if nothing is heard before, another worker gets the job.",
        "jobctl ps",
    )


def _held(facts: Facts, now_ms: int) -> Iterator[Reason]:
    job = facts.job
    if _is_silent(facts):
        yield _silent(facts)
    if job.cancelling:
        yield Reason(
            Why.CANCELLING,
            f"It is being cancelled: {job.worker} was told, and it has {span(job.grace)} to end.",
        )
    if job.status is Status.CLAIMED:
        since = _since(job.claimed_at, now_ms)
        yield Reason(Why.CLAIMED, f"{job.worker} took it {since} ago as attempt {job.attempt}.")
        return
    since = _since(job.started_at, now_ms)
    done = f", {job.progress:.0f} % done" if job.progress is not None else ""
    step = f", at step {job.step!r}" if job.step else ""
    limit = f" It may take {span(job.timeout)}." if job.timeout else ""
    yield Reason(
        Why.RUNNING,
        f"It runs on {job.worker} since {since} as attempt {job.attempt}{done}{step}.{limit}",
        f"jobctl logs {job.id}",
    )


# -- over --------------------------------------------------------------------------


def _ended(job: Job) -> Reason:
    took = _took(job.started_at, job.finished_at)
    if job.status is Status.SUCCEEDED:
        return Reason(Why.ENDED, f"Attempt {job.accepted} on {job.worker} succeeded{took}.")
    if job.status is Status.CANCELLED:
        why = f"It was cancelled: {job.reason}." if job.reason else "It was cancelled by order."
        return Reason(Why.ENDED, why, f"jobctl retry {job.id}")
    quarantined = job.crashes >= MAX_CRASHES or job.losses >= MAX_LOSSES
    if job.cause in LOSSES and quarantined:
        why = (
            f"Its worker was lost {_times(job.crashes + job.losses)} while it had it, so it is "
            "not tried again: it may be what takes them down."
        )
        return Reason(Why.ENDED, why, f"jobctl retry {job.id}")
    how = _how(job.cause, job.exit_code, job.signal, job.reason)
    tries = f", the last of {job.max_attempts}" if job.failures >= job.max_attempts > 1 else ""
    ruled = ", and is not tried again for this" if 0 < job.failures < job.max_attempts else ""
    return Reason(
        Why.ENDED,
        f"Attempt {job.attempt} on {job.worker}{tries}, ended{took}: {how}{ruled}.",
        f"jobctl logs {job.id}",
    )


def _earlier(attempt: Attempt) -> str:
    how = _how(attempt.cause, attempt.exit_code, attempt.signal, attempt.reason)
    where = f" on {attempt.worker}" if attempt.worker else ""
    took = _took(attempt.started_at, attempt.ended_at)
    return f"Before, attempt {attempt.attempt}{where} ended{took}: {how}."


_CAUSES = {
    Cause.TIMEOUT: "it took longer than its timeout",
    Cause.OOM: "it needed more memory than there is",
    Cause.WORKER_LOST: "its worker was lost",
    Cause.NODE_LOST: "its node was lost",
    Cause.WATCHDOG: "the watchdog restarted its worker",
    Cause.CHAOS: "a drill ended its worker",
    Cause.SCALE_DOWN: "its worker was taken away",
    Cause.CANCELLED: "it was cancelled",
    Cause.REJECTED: "it could not be started",
}


def _how(cause: Cause | None, exit_code: int | None, signal: int | None, reason: str) -> str:
    if cause is None:
        return "it succeeded"
    if cause is Cause.EXIT:
        what = f"exit code {exit_code}" if exit_code is not None else "it failed"
    elif cause is Cause.SIGNAL:
        what = f"signal {signal}" if signal is not None else "a signal ended it"
    else:
        what = _CAUSES[cause]
    if reason.startswith(what):
        return reason  # "exit code 127 (command not found)" says it all
    return f"{what} ({reason})" if reason else what


# -- words -------------------------------------------------------------------------


def _took(started_at: int | None, ended_at: int | None) -> str:
    if started_at is None or ended_at is None:
        return ""
    return f" after {span((ended_at - started_at) / 1000)}"


def _since(at: int | None, now_ms: int) -> str:
    return span((now_ms - at) / 1000) if at is not None else "a moment"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _list(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more
