"""Between records and the flat strings that Redis keeps.

A field that is absent reads as its default. How a spec is written is in `submission.py`.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .events import Event, Transitions
from .fleet import Message, MessageKind, Worker, WorkerStatus
from .model import Attempt, ClaimedJob, Claims, Job
from .spec import DEFAULT_BACKOFF, AfterPolicy, Backoff
from .status import Cause, Status

Fields = Mapping[str, str]

_MAX_STEP = 200
_MAX_REASON = 500


def text(value: str, limit: int | None = None) -> str:
    """Make `value` encodable (jobs print anything, lone surrogates too) and bounded."""
    short = value[:limit]
    return short if short.isascii() else short.encode("utf-8", "replace").decode()


def step_text(value: str) -> str:
    """A job's step, cut to what is kept."""
    return text(value, _MAX_STEP)


def reason_text(value: str) -> str:
    """A reason, cut to what is kept."""
    return text(value, _MAX_REASON)


def percent(value: float) -> str:
    """A progress in 0..100; '' (unknown) for what is no number."""
    return "" if math.isnan(value) else number(min(max(value, 0.0), 100.0))


def number(value: float | None) -> str:
    """A number as the shortest text that reads back the same; '' for None."""
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else repr(float(value))


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """A flat field/value reply as a dict; a later value wins."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def job(flat: Sequence[str]) -> Job | None:
    """A job from its flat hash; None if there was none."""
    f = pairs(flat)
    if not f:
        return None
    stdin = f.get("stdin")
    return Job(
        id=f["id"],
        status=Status(f["status"]),
        argv=tuple(json.loads(f["argv"])) if "argv" in f else (),
        function=f.get("function", ""),
        args=f.get("args", ""),
        name=f.get("name", ""),
        queue=f["queue"],
        env=json.loads(f["env"]) if "env" in f else {},
        stdin=None if stdin is None else base64.b64decode(stdin),
        timeout=_float(f, "timeout"),
        grace=_float(f, "grace", 10.0) or 0.0,
        priority=_int(f, "priority", 0),
        key=f.get("key", ""),
        concurrency_key=f.get("concurrency_key", ""),
        concurrency_limit=maybe(f, "concurrency_limit"),
        after=tuple(json.loads(f["after"])) if "after" in f else (),
        after_policy=AfterPolicy(f.get("after_policy", AfterPolicy.SUCCEEDED)),
        blockers=_int(f, "blockers", 0),
        max_attempts=_int(f, "max_attempts", 1),
        backoff=Backoff(
            *(
                float(f.get(f"backoff_{p}", getattr(DEFAULT_BACKOFF, p)))
                for p in ("base", "cap", "jitter")
            )
        ),
        array=f.get("array", ""),
        retry_on=json.loads(f["retry_on"]) if "retry_on" in f else {},
        array_index=maybe(f, "array_index"),
        array_size=maybe(f, "array_size"),
        array_max_fails=maybe(f, "array_max_fails"),
        step=f.get("step", ""),
        progress=_float(f, "progress"),
        checkpoint=f.get("checkpoint", ""),
        submitted_at=maybe(f, "submitted_at"),
        claimed_at=maybe(f, "claimed_at"),
        started_at=maybe(f, "started_at"),
        finished_at=maybe(f, "finished_at"),
        due_at=maybe(f, "due_at"),
        attempt=_int(f, "attempt", 0),
        failures=_int(f, "failures", 0),
        crashes=_int(f, "crashes", 0),
        losses=_int(f, "losses", 0),
        run=_int(f, "run", 1),
        worker=f.get("worker", ""),
        incarnation=f.get("incarnation", ""),
        cause=_cause(f.get("cause")),
        exit_code=_exit_code(f),
        signal=maybe(f, "signal"),
        reason=f.get("reason", ""),
        cancelling=f.get("cancelling") == "1",
        accepted=maybe(f, "attempt" if f["status"] == Status.SUCCEEDED else "accepted"),
        result=f.get("result", ""),
        history=tuple(_attempt(entry) for entry in json.loads(f.get("history", "[]"))),
    )


def jobs(reply: Iterable[Sequence[str]]) -> list[Job]:
    """The jobs of a reply that holds only existing ones."""
    return [found for flat in reply if (found := job(flat)) is not None]


def claims(reply: Sequence[Any]) -> Claims:
    """The jobs of a claim, and in how many ms there may be more ("" for unknown)."""
    due, rows = reply
    found: list[ClaimedJob] = []
    for row in rows:
        if row[0]:
            found.append(ClaimedJob.of(row))
        else:
            # Plain jobs of one function: ids and arguments in turn.
            _, queue, function = row[:3]
            found += [
                ClaimedJob(job_id, queue, function, args)
                for job_id, args in zip(row[3::2], row[4::2], strict=True)
            ]
    return Claims(found, int(due) / 1000 if due != "" else None)


def handed(reply: Sequence[str] | None) -> Claims | None:
    """What a blocking pop brought: jobs, none of them for a token, None for nothing."""
    if not reply:
        return None
    said = reply[1]
    if said[0] == "[":
        return claims(json.loads(said))
    # Four words: a job that came in by the short way (see express.lua).
    words = said.split(" ", 3)
    return Claims([ClaimedJob(*words)] if len(words) > 1 else [])


def worker(flat: Sequence[str], held: Sequence[str]) -> Worker:
    """A worker from its record and the ids it has leases on."""
    f = pairs(flat)
    return Worker(
        name=f["name"],
        pool=f["pool"],
        container=f["container"],
        incarnation=f["incarnation"],
        status=_worker_status(f, busy=bool(held)),
        concurrency=int(f["concurrency"]),
        queues=tuple(f["queues"].split()),
        jobs=tuple(sorted(held)),
        started_at=int(f["started_at"]),
        heartbeat_at=int(f["heartbeat_at"]),
        ended=_int(f, "ended", 0),
    )


def message(raw: str) -> Message:
    """A message from its words: `cancel ID ATTEMPT`, `drain [SECONDS]`, `undrain`."""
    kind, *rest = raw.split()
    if kind == MessageKind.CANCEL:
        return Message(MessageKind.CANCEL, id=rest[0], attempt=int(rest[1]))
    if kind == MessageKind.DRAIN:
        return Message(MessageKind.DRAIN, grace=float(rest[0]) if rest else None)
    return Message(MessageKind(kind))


def event(entry_id: str, fields: Fields) -> Event:
    """An event from its stream entry."""
    at, _, _ = entry_id.partition("-")
    return Event(entry_id, int(at), Transitions(fields))


def _worker_status(f: Fields, *, busy: bool) -> WorkerStatus:
    if f["lost"] == "1":
        return WorkerStatus.LOST
    if f.get("draining") == "1":
        return WorkerStatus.DRAINING if busy else WorkerStatus.DRAINED
    if f.get("draining") == "trial":
        return WorkerStatus.TRIAL
    return WorkerStatus.BUSY if busy else WorkerStatus.IDLE


def _attempt(entry: Mapping[str, Any]) -> Attempt:
    return Attempt(**{**entry, "cause": _cause(entry.get("cause"))})


def _cause(word: str | None) -> Cause | None:
    return Cause(word) if word else None


def maybe(f: Fields, name: str) -> int | None:
    """A field that is an integer, or not there."""
    value = f.get(name)
    return int(value) if value else None


def _exit_code(f: Fields) -> int | None:
    """What a success ended with goes without saying."""
    return 0 if f["status"] == Status.SUCCEEDED else maybe(f, "exit_code")


def _int(f: Fields, name: str, default: int) -> int:
    return int(f.get(name, default))


def _float(f: Fields, name: str, default: float | None = None) -> float | None:
    value = f.get(name)
    return float(value) if value else default
