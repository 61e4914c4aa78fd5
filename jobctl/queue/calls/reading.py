"""What can be asked without changing anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import answers, codec
from ..call import Arg, Call, Command
from ..events import Event
from ..fleet import Worker
from ..model import Job, Page
from ..rules import ArrayInfo, Facts, QueueInfo
from ..spec import MAX_BATCH
from ..status import Cause, Status
from .shapes import block, one_job


def get(job_id: str) -> Call[Job]:
    """One job."""
    return Call("get", (job_id,), lambda reply: one_job(job_id)(reply[0]))


def get_many(ids: Sequence[str]) -> Call[list[Job | None]]:
    """Several jobs, None for each that is not there."""
    return Call("get", tuple(ids), lambda reply: [codec.job(flat) for flat in reply])


def listing(
    status: Status | Iterable[Status] | None,
    name: str | None,
    limit: int,
    cursor: str | None,
    array: str | None = None,
    *,
    cause: Cause | None = None,
) -> Call[Page]:
    """A page of jobs, newest (highest id) first."""
    if status is None:
        wanted: tuple[str, ...] = tuple(Status)
    elif isinstance(status, Status):
        wanted = (status,)
    else:
        wanted = tuple(status)
    bounded = max(1, min(limit, MAX_BATCH))
    args: tuple[Arg, ...] = (codec.text(name or ""), array or "", bounded, cursor or "")
    if cause is not None:
        # A success has none: with those left out, pages with few failures reach further.
        wanted = tuple(one for one in wanted if one is not Status.SUCCEEDED)
        return Call("list_by_cause", (cause, *args, *wanted), _page)
    return Call("list", (*args, *wanted), _page)


def _page(reply: Any) -> Page:
    return Page(codec.jobs(reply[1]), reply[0] or None)


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


QUEUES_PAGE = 500
"""Of how many queues one call tells: Redis does nothing else meanwhile."""


def queue_names() -> Call[list[str]]:
    """Names of the queues that have jobs, a state or a rate, or that a worker serves."""
    return Call("queue_names", (), lambda reply: sorted(set(reply)))


def queues(names: Sequence[str]) -> Call[list[QueueInfo]]:
    """How at most `QUEUES_PAGE` queues stand."""
    return Call("queues", tuple(names), answers.queues)


def array(array_id: str) -> Call[ArrayInfo]:
    """How an array stands."""
    return Call("array", (array_id,), lambda reply: answers.array(array_id, reply))


def schedules() -> Call[dict[str, int]]:
    """When each schedule fired last, in ms."""
    return Call(
        "schedules",
        (),
        lambda reply: {name: int(at) for name, at in codec.pairs(reply).items()},
    )


def facts(job_id: str) -> Call[Facts]:
    """What `explain` must know of a job."""
    return Call("facts", (job_id,), lambda reply: answers.facts(job_id, reply))


def backup_page(cursor: str) -> Call[tuple[str, list[dict[str, Any]]]]:
    """Part of everything that a backup keeps; cursor "0" begins and ends."""
    return Call("backup_page", (cursor,), lambda reply: (reply[0], answers.records(reply[1])))


def events(last_id: str, block_for: float, count: int) -> Command[list[Event]]:
    """Stream entries after `last_id`."""
    wait = max(1, round(block(block_for) * 1000))

    def decode(reply: Any) -> list[Event]:
        if not reply:
            return []
        return [codec.event(entry_id, codec.pairs(fields)) for entry_id, fields in reply[0][1]]

    return Command(
        lambda p: ("XREAD", "COUNT", count, "BLOCK", wait, "STREAMS", f"{p}events", last_id),
        decode,
    )
