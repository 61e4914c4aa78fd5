"""The client for asyncio: what `client.py` has, method by method, awaited."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from jobctl.client import calls, connecting, control, files, following, submitting, waiting
from jobctl.client.atransport import AsyncTransport
from jobctl.client.options import Options
from jobctl.client.request import Request
from jobctl.client.script import Link, perform
from jobctl.client.specs import Chunk, Work, chunks, encode, make, prepare
from jobctl.client.types import (
    Array,
    ArrayInfo,
    Artifacts,
    Event,
    Explanation,
    FollowEvent,
    Job,
    JobRow,
    Page,
    QueueInfo,
    QueueState,
    Restored,
    Schedule,
    Worker,
)
from jobctl.queue.spec import MAX_BATCH

T = TypeVar("T")


class AsyncClient:
    """A connection to one cluster's master, for one event loop. Every method is that of `Client`.

    What yields there is an async iterator here.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 10.0,
        patience: float = 15.0,
        name: str = "",
        on_rate: Callable[[float], None] | None = None,
    ) -> None:
        self._link = Link(url.rstrip("/"), timeout, patience, on_rate=on_rate)
        self._transport = AsyncTransport(self._link, token, name)

    @classmethod
    def from_cluster(
        cls,
        project: str | None = None,
        *,
        file: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Self:
        """See `Client.from_cluster`."""
        found = connecting.find(project, None if file is None else Path(file))
        return cls(found.url, found.token, **options)

    async def close(self) -> None:
        """See `Client.close`."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _ask(self, request: Request[T]) -> T:
        return await self._transport.run(perform(self._link, request))

    # -- submitting

    async def submit(
        self, work: Work | None = None, /, *args: Any, options: Options | None = None, **fields: Any
    ) -> Job:
        """See `Client.submit`."""
        body = encode(prepare(make(work, args, fields, options)))
        return await self._ask(calls.submit(body))

    async def submit_many(
        self,
        specs: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]],
        *,
        chunk: int = 500,
        accepted: Callable[[int], None] | None = None,
        whole: bool = False,
    ) -> list[str]:
        """See `Client.submit_many`."""
        done: list[str] = []
        if whole:
            parts: list[Chunk] = []
            async for one in _chunks(specs, MAX_BATCH):
                parts.append(one)
                if len(parts) > 1:
                    break
            done = await self._transport.run(submitting.send_whole(self._link, parts))
            if accepted:
                accepted(len(done))
            return done
        async for one in _chunks(specs, chunk):
            done += await self._transport.run(submitting.send(self._link, one, len(done)))
            if accepted:
                accepted(len(done))
        return done

    async def map(
        self,
        work: Work,
        items: Iterable[Any],
        *,
        options: Options | None = None,
        max_fails: int | None = None,
        array: str | None = None,
    ) -> Array:
        """See `Client.map`."""
        made = submitting.array_of(work, list(items), options, max_fails, array)
        await self._ask(made.opened)
        return Array(made.id, await self.submit_many(made.specs))

    # -- jobs

    async def job(self, job_id: str, wait: float | None = None) -> Job:
        """See `Client.job`."""
        return await self._ask(calls.job(job_id, wait))

    async def jobs(
        self,
        *,
        status: str | None = None,
        name: str | None = None,
        array: str | None = None,
        cause: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """See `Client.jobs`."""
        request = calls.jobs(
            status=status, name=name, array=array, cause=cause, limit=limit, cursor=cursor
        )
        return await self._ask(request)

    async def statuses(self, ids: Iterable[str]) -> dict[str, JobRow | None]:
        """See `Client.statuses`."""
        return await self._transport.run(waiting.statuses(self._link, ids))

    def wait(self, ids: Iterable[str], timeout: float | None = None) -> AsyncIterator[JobRow]:
        """See `Client.wait`."""
        return self._transport.iterate(waiting.wait(self._link, ids, timeout))

    async def result(self, job_id: str, timeout: float | None = None) -> Any:
        """See `Client.result`."""
        return await self._transport.run(waiting.result(self._link, job_id, timeout))

    def results(self, ids: Iterable[str], timeout: float | None = None) -> AsyncIterator[Any]:
        """See `Client.results`."""
        return self._transport.iterate(waiting.results(self._link, ids, timeout))

    async def explain(self, job_id: str) -> Explanation:
        """See `Client.explain`."""
        return await self._ask(calls.explain(job_id))

    async def cancel(self, job_id: str) -> Job:
        """See `Client.cancel`."""
        return await self._ask(calls.cancel(job_id))

    async def retry(self, job_id: str) -> Job:
        """See `Client.retry`."""
        return await self._ask(calls.retry(job_id))

    async def retry_dead(
        self,
        *,
        name: str | None = None,
        cause: str | None = None,
        retried: Callable[[int], None] | None = None,
    ) -> list[str]:
        """See `Client.retry_dead`."""
        return await self._transport.run(control.retry_dead(self._link, name, cause, retried))

    # -- arrays

    async def open_array(self, array_id: str, size: int, max_fails: int | None = None) -> ArrayInfo:
        """See `Client.open_array`."""
        return await self._ask(calls.open_array(array_id, size, max_fails))

    async def array(self, array_id: str) -> ArrayInfo:
        """See `Client.array`."""
        return await self._ask(calls.array(array_id))

    async def cancel_array(self, array_id: str) -> ArrayInfo:
        """See `Client.cancel_array`."""
        return await self._ask(calls.cancel_array(array_id))

    # -- queues and schedules

    async def queues(self) -> list[QueueInfo]:
        """See `Client.queues`."""
        return await self._ask(calls.queues())

    async def pause(self, queue: str) -> QueueState:
        """See `Client.pause`."""
        return await self._ask(calls.set_queue(queue, "pause"))

    async def drain_queue(self, queue: str) -> QueueState:
        """See `Client.drain_queue`."""
        return await self._ask(calls.set_queue(queue, "drain"))

    async def resume(self, queue: str) -> QueueState:
        """See `Client.resume`."""
        return await self._ask(calls.set_queue(queue, "resume"))

    async def schedules(self) -> list[Schedule]:
        """See `Client.schedules`."""
        return await self._ask(calls.schedules())

    # -- logs and files

    async def logs(
        self,
        job_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        limit: int | None = None,
        tail: int | None = None,
        since: str | float | None = None,
    ) -> bytes:
        """See `Client.logs`."""
        start = {"attempt": attempt, "offset": offset, "tail": tail, "since": since}
        log = self._transport.iterate(files.log(self._link, job_id, start, limit))
        return b"".join([block async for block in log])

    def read_log(
        self,
        job_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        limit: int | None = None,
        tail: int | None = None,
        since: str | float | None = None,
    ) -> AsyncIterator[bytes]:
        """See `Client.read_log`."""
        start = {"attempt": attempt, "offset": offset, "tail": tail, "since": since}
        return self._transport.iterate(files.log(self._link, job_id, start, limit))

    def follow(
        self,
        job_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        tail: int | None = None,
        since: str | float | None = None,
    ) -> AsyncIterator[FollowEvent]:
        """See `Client.follow`."""
        start = {"attempt": attempt, "offset": offset, "tail": tail, "since": since}
        path = f"{calls.job_path(job_id)}/logs"
        return self._transport.iterate(following.follow(self._link, path, start))

    async def artifacts(self, job_id: str, *, attempt: int | None = None) -> Artifacts:
        """See `Client.artifacts`."""
        return await self._ask(calls.artifacts(job_id, attempt))

    async def artifact(
        self, job_id: str, path: str, dest: str | os.PathLike[str], *, attempt: int | None = None
    ) -> Path:
        """See `Client.artifact`."""
        where = calls.artifact_path(job_id, path)
        script = files.download(self._link, where, dest, params={"attempt": attempt})
        return await self._transport.run(script)

    # -- the cluster

    async def workers(self) -> list[Worker]:
        """See `Client.workers`."""
        return await self._ask(calls.workers())

    async def drain(self, name: str, grace: float | None = None) -> None:
        """See `Client.drain`."""
        await self._ask(calls.drain(name, grace))

    async def undrain(self, name: str) -> None:
        """See `Client.undrain`."""
        await self._ask(calls.undrain(name))

    async def canary(self, name: str) -> str:
        """See `Client.canary`."""
        return await self._ask(calls.canary(name))

    async def stats(self) -> dict[str, int]:
        """See `Client.stats`."""
        return await self._ask(calls.stats())

    def events(self, last_id: str = "") -> AsyncIterator[Event]:
        """See `Client.events`."""
        return self._transport.iterate(waiting.events(self._link, last_id))

    async def ready(self) -> dict[str, Any]:
        """See `Client.ready`."""
        return await self._transport.run(control.ready())

    async def backup(
        self, dest: str | os.PathLike[str], *, told: Callable[[int], None] | None = None
    ) -> Path:
        """See `Client.backup`."""
        return await self._transport.run(files.backup(self._link, dest, told))

    async def restore(
        self, source: str | os.PathLike[str], *, told: Callable[[int], None] | None = None
    ) -> Restored:
        """See `Client.restore`."""
        return await self._transport.run(files.restore(self._link, source, told))


async def _chunks(
    specs: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]], most: int
) -> AsyncIterator[Chunk]:
    if not isinstance(specs, AsyncIterable):
        for chunk in chunks(specs, most):
            yield chunk
        return
    chunk = Chunk()
    async for spec in specs:
        chunk.add(spec)
        if chunk.full(most):
            yield chunk
            chunk = Chunk()
    if chunk.lines:
        yield chunk
