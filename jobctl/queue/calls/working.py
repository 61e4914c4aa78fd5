"""What workers say and ask."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from .. import codec
from ..call import Arg, Call, Command, Lease
from ..fleet import Message, Renewal, WorkerInfo
from ..model import Claims, Finish
from ..status import Cause, Verdict
from .shapes import block, flat, nothing, verdicts


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
    return Call("register", args, nothing)


def renew(incarnation: str, leases: Sequence[Lease]) -> Call[Renewal]:
    """Heartbeat, with all leases the worker has."""

    def decode(reply: Any) -> Renewal:
        known, draining, words = reply
        return Renewal(verdicts(words), bool(draining), bool(known))

    return Call("renew", (incarnation, *flat(leases)), decode)


def claim(incarnation: str, room: int, queues: Sequence[str], *, prefetch: int = 0) -> Call[Claims]:
    """Lease jobs from the queues, in the order given."""
    return Call("claim", (incarnation, room, prefetch, len(queues), *queues), codec.claims)


def start(incarnation: str, leases: Sequence[Lease]) -> Call[list[Verdict]]:
    """Say that claimed jobs run now."""
    return Call("start", (incarnation, *flat(leases)), verdicts)


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
    incarnation: str,
    finishes: Sequence[Finish],
    *,
    room: int = 0,
    prefetch: int = 0,
    queues: Sequence[str] = (),
) -> Call[tuple[list[Verdict], Claims]]:
    """End attempts, and lease further jobs in the same round trip."""
    plain: list[Arg] = []
    successes: list[Arg] = []
    others: list[Arg] = []
    first: list[int] = []
    second: list[int] = []
    third: list[int] = []
    for at, (job_id, attempt, outcome, started_at) in enumerate(finishes):
        if outcome.succeeded:
            # Its exit code is 0, whoever says so.
            if attempt == 1 and started_at is not None and not outcome.result:
                first.append(at)
                plain += (job_id, started_at)
                continue
            second.append(at)
            started = "" if started_at is None else started_at
            successes += (job_id, attempt, started, "", outcome.result)
        else:
            third.append(at)
            others += (
                job_id,
                attempt,
                outcome.cause or "",
                codec.number(outcome.exit_code),
                codec.number(outcome.signal),
                codec.reason_text(outcome.reason),
                codec.number(started_at),
                # The jitter of the backoff: Redis functions should not roll dice.
                random.random(),  # noqa: S311
            )
    asked: tuple[Arg, ...] = (incarnation, room, prefetch, len(queues), *queues)

    def decode(reply: Any) -> tuple[list[Verdict], Claims]:
        words, claimed = reply
        found = [Verdict.OK] * len(finishes)
        if words:
            for at, word in zip(first + second + third, words, strict=True):
                found[at] = Verdict(word)
        return found, codec.claims(claimed)

    counts = f"{len(first)}+{len(second)}"
    return Call("finish", (*asked, counts, *plain, *successes, *others), decode)


def hand_back(
    incarnation: str, leases: Sequence[Lease], cause: Cause | None
) -> Call[list[Verdict]]:
    """Return jobs unfinished to the head of their queues; no counter moves."""
    return Call("hand_back", (incarnation, cause or "", *flat(leases)), verdicts)


def deregister(incarnation: str) -> Call[None]:
    """A clean exit; whatever the worker still holds is handed back."""
    return Call("deregister", (incarnation,), nothing)


def wait_message(incarnation: str, timeout: float) -> Command[Message | None]:
    """The next message in the worker's inbox."""

    def decode(reply: Any) -> Message | None:
        return codec.message(reply[1]) if reply else None

    return Command(lambda p: ("BLPOP", f"{p}inbox:{incarnation}", block(timeout)), decode)


def wait(incarnation: str, room: int, queues: Sequence[str]) -> Call[None]:
    """From now on jobs are handed to the worker as they come."""
    return Call("wait", (incarnation, room, *queues), nothing)


def wait_handed(incarnation: str, queues: Sequence[str], timeout: float) -> Command[Claims | None]:
    """What was handed to the worker; no jobs for a token of one of the queues."""

    def build(p: str) -> tuple[Arg, ...]:
        wakes = (f"{p}wake:{queue}" for queue in queues)
        return ("BLPOP", f"{p}handed:{incarnation}", *wakes, block(timeout))

    return Command(build, codec.handed)


def wait_work(queues: Sequence[str], timeout: float) -> Command[bool]:
    """A token that says that one of the queues has something."""
    return Command(lambda p: ("BLPOP", *(f"{p}wake:{q}" for q in queues), block(timeout)), bool)
