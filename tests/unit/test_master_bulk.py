"""A batch: held in part only, in order, and counted exactly when it breaks off."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from jobctl.master.bulk import Batch, Ids, take_whole
from jobctl.master.errors import ApiError
from jobctl.master.settings import JobDefaults, Limits
from jobctl.queue import (
    AsyncQueue,
    JobSpec,
    QueueClosed,
    QueueError,
    RateLimited,
    Submitted,
    Unavailable,
    new_id,
)


class Taking:
    """Takes chunks, one at a time, and refuses the one with the number `bad`."""

    def __init__(self, refusal: QueueError | None = None, bad: int = 0) -> None:
        self.chunks: list[list[str]] = []
        self.clients: set[str] = set()
        self.busy = False
        self._refusal, self._bad = refusal, bad

    async def submit(self, specs: Sequence[JobSpec], *, client: str) -> list[Submitted]:
        assert not self.busy, "a chunk was sent before the one before it was in"
        self.busy = True
        await asyncio.sleep(0)
        self.busy = False
        if self._refusal and len(self.chunks) + 1 == self._bad:
            raise self._refusal
        self.chunks.append([spec.id for spec in specs])
        self.clients.add(client)
        return [Submitted(spec.id, created=spec.name != "old") for spec in specs]


async def stream(lines: list[dict[str, Any] | bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"


def take(
    queue: Taking, lines: list[dict[str, Any] | bytes], *, ids: bool = True, **limits: Any
) -> Batch:
    async def run() -> Batch:
        made = Batch(
            cast("AsyncQueue", queue),
            JobDefaults(),
            Limits(batch_chunk=3, **limits),
            client="me",
            ids=ids,
        )
        await made.take(stream(lines))
        return made

    return asyncio.run(run())


def jobs(*ids: str, **fields: Any) -> list[dict[str, Any] | bytes]:
    return [{"id": name, "argv": ["true"], **fields} for name in ids]


def take_all(queue: Taking, lines: list[dict[str, Any] | bytes], **limits: Any) -> list[Submitted]:
    settings = Limits(batch_chunk=3, **limits)
    whole = take_whole(
        cast("AsyncQueue", queue), stream(lines), JobDefaults(), settings, client="me"
    )
    return asyncio.run(whole)


def test_a_whole_is_one_call() -> None:
    ids = [new_id() for _ in range(3)]
    queue = Taking()
    taken = take_all(queue, [*jobs(*ids[:2]), b"", *jobs(ids[2], name="old")])
    assert (queue.chunks, queue.clients) == ([ids], {"me"})
    assert [(one.id, one.created) for one in taken] == [
        (job_id, job_id != ids[2]) for job_id in ids
    ]
    assert take_all(queue, [b""]) == []


@pytest.mark.parametrize(
    ("last", "limits", "status", "said"),
    [
        (b"{}", {}, 422, "Line 3: "),
        (b'{"argv": ["true"]}\n{"argv": ["true"]}', {}, 413, "at most 3 jobs"),
        (b" " * 200, {"body_bytes": 100}, 413, "Line 3: "),
        (b'{"argv": ["true"]}', {"batch_chunk_bytes": 50}, 413, "a whole"),
    ],
)
def test_of_a_whole_that_is_refused_nothing_is_taken(
    last: bytes, limits: dict[str, int], status: int, said: str
) -> None:
    queue = Taking()
    with pytest.raises(ApiError) as refused:
        take_all(queue, [*jobs(new_id(), new_id()), last], **limits)
    assert (refused.value.status_code, queue.chunks) == (status, [])
    assert said in refused.value.message
    assert refused.value.message.endswith("Nothing of this batch was accepted.")
    assert refused.value.extra["accepted"] == 0


def test_a_whole_that_the_queue_refuses_says_so() -> None:
    with pytest.raises(ApiError) as refused:
        take_all(Taking(QueueClosed("default"), bad=1), jobs(new_id()))
    assert refused.value.code == "queue-closed"
    assert refused.value.message.endswith("Nothing of this batch was accepted.")


def test_the_lines_arrive_in_order_chunk_by_chunk() -> None:
    ids = [new_id() for _ in range(7)]
    queue = Taking()
    batch = take(queue, [*jobs(*ids[:4]), b"", *jobs(*ids[4:], name="old")])
    assert queue.chunks == [ids[:3], ids[3:6], ids[6:]]
    assert queue.clients == {"me"}
    assert (batch.submitted, batch.created) == (7, 4)
    assert batch.ids is not None
    assert json.loads(b"[" + b"".join(batch.ids.json()) + b"]") == ids


def test_large_lines_make_small_chunks() -> None:
    ids = [new_id() for _ in range(4)]
    queue = Taking()
    take(queue, jobs(*ids, name="x" * 100), batch_chunk_bytes=250)
    assert queue.chunks == [ids[:2], ids[2:]]


def test_a_batch_without_ids_has_no_end() -> None:
    queue = Taking()
    batch = take(queue, jobs(*(new_id() for _ in range(9))), ids=False, batch_lines=5)
    assert (batch.submitted, batch.ids) == (9, None)
    with pytest.raises(ApiError, match="at most 5 jobs"):
        take(queue, jobs(*(new_id() for _ in range(9))), batch_lines=5)


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (RateLimited(1.25), 429, "rate-limited"),
        (QueueClosed("default"), 409, "queue-closed"),
        (Unavailable("Redis is away."), 503, "unavailable"),
    ],
)
def test_a_refused_chunk_is_told_with_the_number_of_those_before(
    refusal: QueueError, status: int, code: str
) -> None:
    queue = Taking(refusal, bad=2)
    with pytest.raises(ApiError) as caught:
        take(queue, jobs(*(new_id() for _ in range(9))))
    error = caught.value
    assert (error.status_code, error.code, error.extra["accepted"]) == (status, code, 3)
    assert "3 jobs of this batch were accepted" in error.message
    assert len(queue.chunks) == 1
    if isinstance(refusal, RateLimited):
        assert (error.headers, error.extra["retry_after"]) == ({"Retry-After": "2"}, 1.25)


def test_a_bad_line_lets_the_ones_before_it_in() -> None:
    ids = [new_id() for _ in range(4)]
    queue = Taking()
    with pytest.raises(ApiError, match="Line 5: give argv") as caught:
        take(queue, [*jobs(*ids), {"name": "x"}, *jobs(new_id())])
    assert queue.chunks == [ids[:3], ids[3:]]
    assert (caught.value.extra["line"], caught.value.extra["accepted"]) == (5, 4)


def test_many_ids_are_one_list_of_json() -> None:
    ids, held = [new_id() for _ in range(2500)], Ids()
    for one in ids:
        held.add(one)
    assert len(held) == 2500
    pieces = list(held.json())
    assert len(pieces) == 3
    assert json.loads(b"[" + b"".join(pieces) + b"]") == ids
    assert b"".join(Ids().json()) == b""
