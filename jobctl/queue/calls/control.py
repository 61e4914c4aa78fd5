"""What the master and operators order: time, workers, queues, arrays, what is kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import codec
from ..call import Call, Command
from ..errors import InvalidSpec
from ..ids import is_id
from ..library import library_name
from ..model import Submitted, Tick
from ..rules import QueueRates, Rate, Retention
from ..spec import JobSpec, compact
from ..submission import submission
from .shapes import nothing, seconds, submitted


def library(schema: int) -> Command[str | None]:
    """The source of that schema's library in Redis; None without one."""

    def decode(reply: Any) -> str | None:
        return codec.pairs(reply[0])["library_code"] if reply else None

    return Command(
        lambda _p: ("FUNCTION", "LIST", "LIBRARYNAME", library_name(schema), "WITHCODE"),
        decode,
    )


def drop_library(schema: int) -> Command[None]:
    """Remove that schema's library from Redis."""
    return Command(lambda _p: ("FUNCTION", "DELETE", library_name(schema)), nothing)


def migrate() -> Call[int]:
    """Turn an older schema's data into this one's; how many jobs were in flight."""
    return Call("migrate", (), int)


def configure(
    lease: float,
    *,
    queues: Mapping[str, QueueRates] | None = None,
    client_rate: Rate | None = None,
) -> Call[None]:
    """Set the length of a lease in seconds, and all rates there are."""
    if lease <= 0:
        raise ValueError("a lease must be longer than 0 seconds")
    rates = {
        queue: {
            kind: [r.per_second, r.burst]
            for kind in ("start", "submit")
            if (r := getattr(of, kind))
        }
        for queue, of in (queues or {}).items()
    }
    client = compact([client_rate.per_second, client_rate.burst]) if client_rate else ""
    return Call("configure", (round(lease * 1000), compact(rates), client), nothing)


def tick(limit: int = 100) -> Call[Tick]:
    """What time brings, at most `limit` of each kind."""
    return Call("tick", (limit,), lambda reply: Tick(int(reply[0]), seconds(reply[1])))


def drain(name: str, grace: float | None) -> Call[None]:
    """Let a worker claim nothing more."""
    return Call("drain", (name, codec.number(grace)), nothing)


def undrain(name: str) -> Call[None]:
    """Let a worker claim again."""
    return Call("undrain", (name,), nothing)


def trial(name: str, seconds: float) -> Call[None]:
    """Let whoever registers under a name claim nothing but canaries."""
    return Call("trial", (name, max(1, round(seconds * 1000))), nothing)


def pause(queue: str) -> Call[None]:
    """Let nothing be claimed from a queue."""
    return Call("set_queue", (queue, "paused"), nothing)


def drain_queue(queue: str) -> Call[None]:
    """Take nothing into a queue; what is there runs."""
    return Call("set_queue", (queue, "draining"), nothing)


def resume(queue: str) -> Call[None]:
    """Back to normal."""
    return Call("set_queue", (queue, "open"), nothing)


def open_array(array_id: str, size: int, max_fails: int | None) -> Call[None]:
    """Make an array known before its jobs are."""
    if not is_id(array_id):
        raise InvalidSpec(f"{array_id!r} is not an array id (a 26-character ULID).")
    if size < 1 or (max_fails is not None and max_fails < 0):
        raise InvalidSpec("An array has at least 1 job, and max_fails is 0 or more.")
    return Call("open_array", (array_id, size, codec.number(max_fails)), nothing)


def cancel_array(array_id: str) -> Call[None]:
    """Cancel what is not over of an array: a first batch now, the rest by ticks."""
    return Call("cancel_array", (array_id,), nothing)


def prune(rules: Retention, limit: int) -> Call[int]:
    """Delete ended jobs that nothing keeps; how many, at most `limit`."""
    words = []
    for status in ("succeeded", "failed", "cancelled"):
        keep = getattr(rules, status)
        age = None if keep.age is None else round(keep.age * 1000)
        words += [status, codec.number(age), codec.number(keep.count)]
    return Call("prune", (limit, *words), int)


def take_litter(n: int) -> Call[list[str]]:
    """Ids of deleted jobs whose folders are to be removed, leased for a minute."""
    return Call("take_litter", (n,), list)


def drop_litter(ids: Sequence[str]) -> Call[None]:
    """These folders are gone."""
    return Call("drop_litter", tuple(ids), nothing)


def fire(schedule: str, tick_ms: int, spec: JobSpec | None) -> Call[Submitted | None]:
    """Submit a schedule's job, unless this tick or a later one was fired; None: note the tick."""
    words = submission(spec) if spec else ()

    def decode(reply: Any) -> Submitted | None:
        return submitted(spec.id, reply) if spec and reply is not None else None

    return Call("fire", (schedule, tick_ms, *words), decode)


def keep_schedules(names: Collection[str]) -> Call[None]:
    """Forget when any other schedule was fired last."""
    return Call("keep_schedules", tuple(names), nothing)


def restore(records: Sequence[Mapping[str, Any]]) -> Call[int]:
    """Put a backup's records back; how many were not there yet."""
    return Call("restore", tuple(json.dumps(record) for record in records), int)
