"""Replies about queues, arrays, one job's facts and backups, as records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .codec import Fields, maybe, pairs
from .codec import job as job_of
from .errors import QueueError, UnknownJob
from .rules import ArrayInfo, Facts, QueueInfo, QueueState, Rate
from .status import Status


def queues(reply: Sequence[Sequence[str]]) -> list[QueueInfo]:
    """One flat record per queue: name, state, queued, parked, oldest_at, both rates as JSON."""
    return [_queue(pairs(flat)) for flat in reply]


def _queue(f: Fields) -> QueueInfo:
    return QueueInfo(
        name=f["name"],
        state=QueueState(f.get("state", "open")),
        queued=int(f.get("queued", 0)),
        parked=int(f.get("parked", 0)),
        oldest_at=maybe(f, "oldest_at"),
        start_rate=_rate(f.get("start_rate")),
        submit_rate=_rate(f.get("submit_rate")),
    )


def _rate(text: str | None) -> Rate | None:
    if not text:
        return None
    per_second, burst = json.loads(text)
    return Rate(per_second, int(burst))


def array(array_id: str, flat: Sequence[str]) -> ArrayInfo:
    """An array from its record, with the number of its members as `submitted`."""
    f = pairs(flat)
    if not f:
        raise UnknownJob(array_id)
    return ArrayInfo(
        id=array_id,
        size=maybe(f, "size"),
        submitted=int(f.get("submitted", 0)),
        succeeded=int(f.get("succeeded", 0)),
        failed=int(f.get("failed", 0)),
        cancelled=int(f.get("cancelled", 0)),
        max_fails=maybe(f, "max_fails"),
        over=f.get("over") == "1",
    )


def facts(job_id: str, reply: Sequence[Any]) -> Facts:
    """A job's flat hash and a flat record, whose lists are JSON."""
    found, flat = reply
    job = job_of(found)
    if job is None:
        raise UnknownJob(job_id)
    f = pairs(flat)
    parents = json.loads(f.get("parents", "{}")) or {}
    arrays = json.loads(f.get("arrays", "{}")) or {}
    return Facts(
        job=job,
        now_ms=int(f["now"]),
        queue_state=QueueState(f.get("queue_state", "open")),
        rate_wait=_seconds(f, "rate_wait"),
        holders=tuple(json.loads(f.get("holders", "[]"))),
        parked=f.get("parked") == "1",
        parents={i: Status(status) if status else None for i, status in parents.items()},
        arrays={i: (over, size) for i, (over, size) in arrays.items()},
        serving=tuple(json.loads(f.get("serving", "[]"))),
        ahead=maybe(f, "ahead"),
        lease=_seconds(f, "lease") or 0.0,
        silence=_seconds(f, "silence"),
        lease_left=_seconds(f, "lease_left"),
    )


def _seconds(f: Fields, name: str) -> float | None:
    ms = maybe(f, name)
    return None if ms is None else ms / 1000


def records(reply: Sequence[str]) -> list[dict[str, Any]]:
    """A backup's records, each JSON."""
    found = [json.loads(line) for line in reply]
    if not all(isinstance(record, dict) for record in found):
        raise QueueError("Redis gave a backup record that is none.")
    return found
