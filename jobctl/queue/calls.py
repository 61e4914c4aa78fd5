"""Every call on the queue, once: its arguments, and how to read the reply.

`Queue` and `AsyncQueue` only send what is built here. A call is safe to repeat after a
cut connection: submits go by id, worker writes by the fence, and what a lost claim
reply handed out comes back through `renew`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import codec
from .call import MAX_BLOCK, Arg, Call, Command, Lease
from .errors import InvalidSpec, UnknownJob
from .library import LIBRARY
from .model import (
    MAX_BATCH,
    Event,
    Finish,
    Job,
    JobSpec,
    Message,
    Page,
    Renewal,
    Submitted,
    Worker,
    WorkerInfo,
)
from .status import Cause, Status, Verdict

# -- producers ---------------------------------------------------------------------


def submit(specs: Sequence[JobSpec]) -> Call[list[Submitted]]:
    """Queue all of `specs` or, on an error, none."""
    if len(specs) > MAX_BATCH:
        raise InvalidSpec(f"One submit takes at most {MAX_BATCH} jobs, not {len(specs)}.")
    args: list[Arg] = []
    for spec in specs:
        fields = codec.spec_fields(spec)
        args += [spec.id, spec.queue, codec.text(spec.name), len(fields)]
        for pair in fields.items():
            args += pair
    ids = [spec.id for spec in specs]
    return Call(
        "submit",
        tuple(args),
        lambda reply: [Submitted(i, bool(new)) for i, new in zip(ids, reply, strict=True)],
    )


def cancel(job_id: str) -> Call[Job]:
    """End a job: at once, or (running) by telling its worker."""
    return Call("cancel", (job_id,), _one_job(job_id))


def retry(job_id: str) -> Call[Job]:
    """Open a new run of a finished job."""
    return Call("retry", (job_id,), _one_job(job_id))


# -- workers -----------------------------------------------------------------------


def register(info: WorkerInfo) -> Call[None]:
    """Make a worker known; an older incarnation of its name is thereby proved dead."""
    args = (
        info.incarnation,
        info.name,
        info.pool,
        info.container,
        info.concurrency,
        " ".join(info.queues),
    )
    return Call("register", args, _nothing)


def renew(incarnation: str, leases: Sequence[Lease]) -> Call[Renewal]:
    """Heartbeat, with all leases the worker has."""

    def decode(reply: Any) -> Renewal:
        known, draining, verdicts = reply
        return Renewal(_verdicts(verdicts), bool(draining), bool(known))

    return Call("renew", (incarnation, *_flat(leases)), decode)


def claim(incarnation: str, n: int, queues: Sequence[str]) -> Call[list[Job]]:
    """Lease up to n jobs from the queues, in the order given."""
    return Call("claim", (incarnation, n, len(queues), *queues), codec.jobs)


def start(incarnation: str, leases: Sequence[Lease]) -> Call[list[Verdict]]:
    """Say that claimed jobs run now."""
    return Call("start", (incarnation, *_flat(leases)), _verdicts)


def report(
    job_id: str,
    attempt: int,
    *,
    step: str | None = None,
    progress: float | None = None,
    checkpoint: str | None = None,
) -> Call[Verdict]:
    """Write how far a job is; None leaves a field as it was."""
    args: list[Arg] = [job_id, attempt]
    if step is not None:
        args += ["step", codec.step_text(step)]
    if progress is not None:
        args += ["progress", codec.percent(progress)]
    if checkpoint is not None:
        args += ["checkpoint", codec.text(checkpoint)]
    return Call("report", tuple(args), Verdict)


def finish(
    incarnation: str, finishes: Sequence[Finish], *, n: int = 0, queues: Sequence[str] = ()
) -> Call[tuple[list[Verdict], list[Job]]]:
    """End attempts, and lease up to n further jobs in the same round trip."""
    args: list[Arg] = [incarnation, n, len(queues), *queues]
    for item in finishes:
        outcome = item.outcome
        args += [
            item.id,
            item.attempt,
            int(outcome.succeeded),
            outcome.cause or "",
            codec.number(outcome.exit_code),
            codec.number(outcome.signal),
            codec.reason_text(outcome.reason),
            codec.number(item.started_at),
            # The jitter of the backoff: Redis functions should not roll dice.
            random.random(),  # noqa: S311
        ]

    def decode(reply: Any) -> tuple[list[Verdict], list[Job]]:
        return _verdicts(reply[0]), codec.jobs(reply[1])

    return Call("finish", tuple(args), decode)


def hand_back(incarnation: str, leases: Sequence[Lease], cause: Cause) -> Call[list[Verdict]]:
    """Return jobs unfinished to the head of their queues; no counter moves."""
    return Call("hand_back", (incarnation, cause, *_flat(leases)), _verdicts)


def deregister(incarnation: str) -> Call[None]:
    """A clean exit; whatever the worker still holds is handed back."""
    return Call("deregister", (incarnation,), _nothing)


def release(incarnation: str, cause: Cause) -> Call[int]:
    """Take a dead worker's jobs back."""
    return Call("release", (incarnation, cause), int)


def wait_message(incarnation: str, timeout: float) -> Command[Message | None]:
    """The next message in the worker's inbox."""

    def decode(reply: Any) -> Message | None:
        return codec.message(reply[1]) if reply else None

    return Command(lambda p: ("BLPOP", f"{p}inbox:{incarnation}", _block(timeout)), decode)


def wait_work(queues: Sequence[str], timeout: float) -> Command[bool]:
    """A token that says that one of the queues has something."""
    return Command(lambda p: ("BLPOP", *(f"{p}wake:{q}" for q in queues), _block(timeout)), bool)


# -- the master --------------------------------------------------------------------


def library() -> Command[str | None]:
    """The source of the library that Redis has; None without one."""

    def decode(reply: Any) -> str | None:
        return codec.pairs(reply[0])["library_code"] if reply else None

    return Command(
        lambda _p: ("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE"),
        decode,
    )


def configure(lease: float) -> Call[None]:
    """Set the length of a lease in seconds."""
    if lease <= 0:
        raise ValueError("a lease must be longer than 0 seconds")
    return Call("configure", (round(lease * 1000),), _nothing)


def tick(limit: int = 100) -> Call[int]:
    """Sweep expired leases and promote due jobs, at most `limit` of each."""
    return Call("tick", (limit,), int)


def drain(name: str, grace: float | None) -> Call[None]:
    """Let a worker claim nothing more."""
    return Call("drain", (name, codec.number(grace)), _nothing)


def undrain(name: str) -> Call[None]:
    """Let a worker claim again."""
    return Call("undrain", (name,), _nothing)


# -- reading -----------------------------------------------------------------------


def get(job_id: str) -> Call[Job]:
    """One job."""
    return Call("get", (job_id,), lambda reply: _one_job(job_id)(reply[0]))


def get_many(ids: Sequence[str]) -> Call[list[Job | None]]:
    """Several jobs, None for each that is not there."""
    return Call("get", tuple(ids), lambda reply: [codec.job(flat) for flat in reply])


def listing(
    status: Status | Iterable[Status] | None, name: str | None, limit: int, cursor: str | None
) -> Call[Page]:
    """A page of jobs, newest (highest id) first."""
    if status is None:
        wanted: tuple[str, ...] = tuple(Status)
    elif isinstance(status, Status):
        wanted = (status,)
    else:
        wanted = tuple(status)
    args: tuple[Arg, ...] = (codec.text(name or ""), max(1, min(limit, MAX_BATCH)), cursor or "")
    return Call(
        "list", (*args, *wanted), lambda reply: Page(codec.jobs(reply[1]), reply[0] or None)
    )


def counts() -> Call[dict[Status, int]]:
    """How many jobs have each status."""
    return Call(
        "counts", tuple(Status), lambda reply: dict(zip(Status, map(int, reply), strict=True))
    )


def workers() -> Call[list[Worker]]:
    """All registered workers, by name."""

    def decode(reply: Any) -> list[Worker]:
        found = [codec.worker(flat, held) for flat, held in reply]
        return sorted(found, key=lambda w: (len(w.name), w.name))

    return Call("workers", (), decode)


def events(last_id: str, block: float, count: int) -> Command[list[Event]]:
    """Stream entries after `last_id`."""
    wait = max(1, round(_block(block) * 1000))

    def decode(reply: Any) -> list[Event]:
        if not reply:
            return []
        return [codec.event(entry_id, fields) for entry_id, fields in reply[0][1]]

    return Command(
        lambda p: ("XREAD", "COUNT", count, "BLOCK", wait, "STREAMS", f"{p}events", last_id),
        decode,
    )


def _flat(leases: Sequence[Lease]) -> tuple[Arg, ...]:
    return tuple(part for lease in leases for part in lease)


def _verdicts(reply: Sequence[str]) -> list[Verdict]:
    return [Verdict(word) for word in reply]


def _nothing(_reply: Any) -> None:
    return None


def _one_job(job_id: str) -> Callable[[Any], Job]:
    def decode(reply: Any) -> Job:
        found = codec.job(reply)
        if found is None:
            raise UnknownJob(job_id)
        return found

    return decode


def _block(timeout: float) -> float:
    # 0 would mean "for ever" to Redis.
    return min(max(timeout, 0.001), MAX_BLOCK)
