"""Following a job's log: every byte of every attempt from a position on, until the job has ended.

The end is the job's status, never the end of a file. What makes that safe is the order: a worker
writes the log before it writes the finish, so a look at the job *before* the file is read tells
whether that read saw everything.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from jobctl.master import logfile, sse
from jobctl.master.feed import Watch
from jobctl.master.service import Service
from jobctl.queue import Job, QueueError


@dataclass(frozen=True)
class Position:
    """A place in a job's logs: the bytes of ``attempt`` from ``offset`` on come next."""

    attempt: int
    offset: int

    def __str__(self) -> str:
        return f"{self.attempt}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """Read the id of a log event; None when it is not one."""
        attempt, _, offset = text.partition(":")
        if attempt.isdecimal() and offset.isdecimal():
            return cls(int(attempt), int(offset))
        return None


async def follow(service: Service, job_id: str, start: Position) -> AsyncIterator[bytes]:
    """Yield server-sent events: ``log`` and ``status``, and ``end`` last of all.

    The stream also ends, without ``end``, when the master stops or Redis is away at its start: the
    follower comes back with the id of the last ``log`` event.
    """
    with service.feed.watch(job_id) as watch:
        try:
            job = await service.queue.get(job_id)
        except QueueError:
            return  # the answer has begun, so this is all that can be said: come back later
        follower = _Follower(service, job, start)
        try:
            async for piece in follower.pieces(watch):
                yield piece
        finally:
            follower.close()


class _Follower:
    """One request's way through the attempts of one job."""

    def __init__(self, service: Service, job: Job, start: Position) -> None:
        self._service = service
        self._limits = service.settings.limits
        self._job = job
        self._attempt = start.attempt
        self._offset = start.offset
        self._fd: int | None = None
        self._looked_at = time.monotonic()

    async def pieces(self, watch: Watch) -> AsyncIterator[bytes]:
        told: tuple[str, int] | None = None
        while True:
            if (self._job.status, self._job.attempt) != told:
                told = (self._job.status, self._job.attempt)
                yield sse.event("status", self._state())
            passed = self._attempt < self._job.attempt
            over = passed or self._job.status.terminal
            while piece := self._read(final=over):
                yield piece
                # A long log must not keep the other requests waiting.
                await asyncio.sleep(0)
            if passed:
                self.close()
                self._attempt, self._offset = self._attempt + 1, 0
            elif over:
                yield sse.event("end", self._state())
                return
            elif self._service.feed.closed:
                return
            elif await self._news(watch):
                yield sse.HEARTBEAT

    async def _news(self, watch: Watch) -> bool:
        """Wait until it is worth looking again; return True when a heartbeat is due."""
        limits = self._limits
        pause = limits.log_poll if self._job.status.held else limits.stream_heartbeat
        stirred = await watch.wait(pause)
        silent = time.monotonic() - self._looked_at >= limits.stream_heartbeat
        if stirred or silent:
            self._looked_at = time.monotonic()
            try:
                self._job = await self._service.queue.get(self._job.id)
            except QueueError:
                # Redis will be back; the log can be followed without it.
                watch.stir()
                await asyncio.sleep(limits.log_poll)
        return silent

    def _read(self, *, final: bool) -> bytes:
        """Return the next piece of this attempt's log as an event, b"" at its present end."""
        if self._fd is None:
            jobs = self._service.settings.jobs_dir
            self._fd = logfile.open_log(jobs, self._job.id, self._attempt)
            if self._fd is None:
                return b""
        block = self._limits.read_block
        data = os.pread(self._fd, block, self._offset)
        text, used = logfile.cut_text(data, final=final and len(data) < block)
        if not used:
            return b""
        self._offset += used
        at = {"attempt": self._attempt, "offset": self._offset}
        return sse.event("log", {**at, "text": text}, str(Position(**at)))

    def _state(self) -> dict[str, Any]:
        job = self._job
        return {
            "status": job.status,
            "attempt": job.attempt,
            "cause": job.cause,
            "exit_code": job.exit_code,
            "signal": job.signal,
            "reason": job.reason,
        }

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
