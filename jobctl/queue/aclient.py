"""The queue for asyncio: what `client.py` has, method by method, awaited."""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import redis.asyncio

from . import calls
from .call import Call, Command, Lease
from .library import function_name, source
from .model import (
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
from .replies import REDIS_ERRORS, library_is_missing, library_is_there, translate
from .status import Cause, Status, Verdict

T = TypeVar("T")


class AsyncQueue:
    """One project's queue inside one event loop. Every method is that of `Queue`."""

    def __init__(self, client: redis.asyncio.Redis, project: str) -> None:
        self._redis = client
        self._send: Callable[..., Awaitable[Any]] = client.execute_command
        self._prefix = f"{{{project}}}:"

    # -- producers

    async def submit(self, specs: Sequence[JobSpec]) -> builtins.list[Submitted]:
        """See `Queue.submit`."""
        return await self._call(calls.submit(specs))

    async def cancel(self, job_id: str) -> Job:
        """See `Queue.cancel`."""
        return await self._call(calls.cancel(job_id))

    async def retry(self, job_id: str) -> Job:
        """See `Queue.retry`."""
        return await self._call(calls.retry(job_id))

    # -- workers

    async def register(self, info: WorkerInfo) -> None:
        """See `Queue.register`."""
        await self._call(calls.register(info))

    async def renew(self, incarnation: str, leases: Sequence[Lease]) -> Renewal:
        """See `Queue.renew`."""
        return await self._call(calls.renew(incarnation, leases))

    async def claim(self, incarnation: str, n: int, queues: Sequence[str]) -> builtins.list[Job]:
        """See `Queue.claim`."""
        return await self._call(calls.claim(incarnation, n, queues))

    async def start(self, incarnation: str, leases: Sequence[Lease]) -> builtins.list[Verdict]:
        """See `Queue.start`."""
        return await self._call(calls.start(incarnation, leases))

    async def report(
        self,
        job_id: str,
        attempt: int,
        *,
        step: str | None = None,
        progress: float | None = None,
        checkpoint: str | None = None,
    ) -> Verdict:
        """See `Queue.report`."""
        found = calls.report(job_id, attempt, step=step, progress=progress, checkpoint=checkpoint)
        return await self._call(found)

    async def finish(
        self,
        incarnation: str,
        finishes: Sequence[Finish],
        *,
        claim: int = 0,
        queues: Sequence[str] = (),
    ) -> tuple[builtins.list[Verdict], builtins.list[Job]]:
        """See `Queue.finish`."""
        return await self._call(calls.finish(incarnation, finishes, n=claim, queues=queues))

    async def hand_back(
        self, incarnation: str, leases: Sequence[Lease], cause: Cause
    ) -> builtins.list[Verdict]:
        """See `Queue.hand_back`."""
        return await self._call(calls.hand_back(incarnation, leases, cause))

    async def deregister(self, incarnation: str) -> None:
        """See `Queue.deregister`."""
        await self._call(calls.deregister(incarnation))

    async def release(self, incarnation: str, cause: Cause = Cause.WORKER_LOST) -> int:
        """See `Queue.release`."""
        return await self._call(calls.release(incarnation, cause))

    async def wait_message(self, incarnation: str, timeout: float) -> Message | None:
        """See `Queue.wait_message`."""
        return await self._read(calls.wait_message(incarnation, timeout))

    async def wait_work(self, queues: Sequence[str], timeout: float) -> bool:
        """See `Queue.wait_work`."""
        return await self._read(calls.wait_work(queues, timeout))

    # -- the master

    async def ensure_library(self, *, replace: bool = False) -> None:
        """See `Queue.ensure_library`."""
        # Loading needs memory: a full Redis would refuse even what it has already.
        if replace and await self._read(calls.library()) == source():
            return
        command = ("FUNCTION", "LOAD", *(("REPLACE",) if replace else ()), source())
        try:
            await self._send(*command)
        except REDIS_ERRORS as error:
            if not library_is_there(error):
                raise translate(error) from error

    async def configure(self, *, lease: float) -> None:
        """See `Queue.configure`."""
        await self._call(calls.configure(lease))

    async def tick(self, limit: int = 100) -> int:
        """See `Queue.tick`."""
        return await self._call(calls.tick(limit))

    async def drain(self, name: str, grace: float | None) -> None:
        """See `Queue.drain`."""
        await self._call(calls.drain(name, grace))

    async def undrain(self, name: str) -> None:
        """See `Queue.undrain`."""
        await self._call(calls.undrain(name))

    # -- reading

    async def get(self, job_id: str) -> Job:
        """See `Queue.get`."""
        return await self._call(calls.get(job_id))

    async def get_many(self, ids: Sequence[str]) -> builtins.list[Job | None]:
        """See `Queue.get_many`."""
        return await self._call(calls.get_many(ids))

    async def list(
        self,
        status: Status | Iterable[Status] | None = None,
        name: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """See `Queue.list`."""
        return await self._call(calls.listing(status, name, limit, cursor))

    async def counts(self) -> dict[Status, int]:
        """See `Queue.counts`."""
        return await self._call(calls.counts())

    async def workers(self) -> builtins.list[Worker]:
        """See `Queue.workers`."""
        return await self._call(calls.workers())

    async def events(
        self, last_id: str = "$", block: float = 5.0, count: int = 500
    ) -> builtins.list[Event]:
        """See `Queue.events`."""
        return await self._read(calls.events(last_id, block, count))

    async def ping(self) -> None:
        """See `Queue.ping`."""
        await self._execute("PING")

    async def close(self) -> None:
        """See `Queue.close`."""
        await self._redis.aclose()

    async def _call(self, call: Call[T]) -> T:
        command = ("FCALL", function_name(call.function), 1, self._prefix, *call.args)
        try:
            reply = await self._send(*command)
        except REDIS_ERRORS as error:
            if not library_is_missing(error):
                raise translate(error) from error
            await self.ensure_library()
            reply = await self._execute(*command)
        return call.decode(reply)

    async def _read(self, command: Command[T]) -> T:
        return command.decode(await self._execute(*command.build(self._prefix)))

    async def _execute(self, *command: str | float) -> Any:
        try:
            return await self._send(*command)
        except REDIS_ERRORS as error:
            raise translate(error) from error
