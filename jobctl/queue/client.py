"""The queue for blocking code. See `aclient.py` for its twin, `calls.py` for the calls."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import redis

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


class Queue:
    """One project's queue; safe to share between threads.

    Every method may raise `Unavailable` and `Denied`; it may then be called again with
    the same arguments, whether or not Redis carried it out the first time.
    """

    def __init__(self, client: redis.Redis, project: str) -> None:
        self._redis = client
        self._send: Callable[..., Any] = client.execute_command
        self._prefix = f"{{{project}}}:"

    # -- producers

    def submit(self, specs: Sequence[JobSpec]) -> builtins.list[Submitted]:
        """Queue up to 500 jobs, all or none; an id that is there already is left alone.

        Raises `Full` when Redis is at its memory limit.
        """
        return self._call(calls.submit(specs))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: at once, or, when it runs, as soon as its worker has ended it.

        Raises `UnknownJob`, and `WrongStatus` when it is over already.
        """
        return self._call(calls.cancel(job_id))

    def retry(self, job_id: str) -> Job:
        """Open a new run of a finished job. Raises `UnknownJob`, `WrongStatus`, `Full`."""
        return self._call(calls.retry(job_id))

    # -- workers

    def register(self, info: WorkerInfo) -> None:
        """Make a worker known; leases of the name's older incarnation are released.

        Raises `Superseded` when a newer incarnation replaced this one already.
        """
        self._call(calls.register(info))

    def renew(self, incarnation: str, leases: Sequence[Lease]) -> Renewal:
        """Heartbeat: renew the worker's leases. `leases` must be all it has.

        That is every job claimed and not yet acknowledged as finished. A job that was
        claimed for this worker over half a lease ago, never started and is not in
        `leases` was lost with a cut reply: it goes back to its queue.
        """
        return self._call(calls.renew(incarnation, leases))

    def claim(self, incarnation: str, n: int, queues: Sequence[str]) -> builtins.list[Job]:
        """Lease up to n jobs; [] when draining. Call it after each wake, even with n=0.

        Raises `UnknownWorker` when Redis does not know the incarnation.
        """
        return self._call(calls.claim(incarnation, n, queues))

    def start(self, incarnation: str, leases: Sequence[Lease]) -> builtins.list[Verdict]:
        """Say that claimed jobs run now."""
        return self._call(calls.start(incarnation, leases))

    def report(
        self,
        job_id: str,
        attempt: int,
        *,
        step: str | None = None,
        progress: float | None = None,
        checkpoint: str | None = None,
    ) -> Verdict:
        """Write how far a job is; `progress` is 0..100, None leaves a field alone."""
        found = calls.report(job_id, attempt, step=step, progress=progress, checkpoint=checkpoint)
        return self._call(found)

    def finish(
        self,
        incarnation: str,
        finishes: Sequence[Finish],
        *,
        claim: int = 0,
        queues: Sequence[str] = (),
    ) -> tuple[builtins.list[Verdict], builtins.list[Job]]:
        """End attempts and, in the same call, lease up to `claim` further jobs."""
        return self._call(calls.finish(incarnation, finishes, n=claim, queues=queues))

    def hand_back(
        self, incarnation: str, leases: Sequence[Lease], cause: Cause
    ) -> builtins.list[Verdict]:
        """Return jobs unfinished to the head of their queues, at no cost to them."""
        return self._call(calls.hand_back(incarnation, leases, cause))

    def deregister(self, incarnation: str) -> None:
        """Forget a worker that exits; what it still holds is handed back."""
        self._call(calls.deregister(incarnation))

    def release(self, incarnation: str, cause: Cause = Cause.WORKER_LOST) -> int:
        """Forget a worker that is proved dead; its jobs are queued again (how many)."""
        return self._call(calls.release(incarnation, cause))

    def wait_message(self, incarnation: str, timeout: float) -> Message | None:
        """Block until the worker is told something, at most `timeout` or 5 s."""
        return self._read(calls.wait_message(incarnation, timeout))

    def wait_work(self, queues: Sequence[str], timeout: float) -> bool:
        """Block until a queue may have work, at most `timeout` or 5 s; then claim."""
        return self._read(calls.wait_work(queues, timeout))

    # -- the master

    def ensure_library(self, *, replace: bool = False) -> None:
        """Load the function library if it is missing; `replace` even if it is there."""
        # Loading needs memory: a full Redis would refuse even what it has already.
        if replace and self._read(calls.library()) == source():
            return
        command = ("FUNCTION", "LOAD", *(("REPLACE",) if replace else ()), source())
        try:
            self._send(*command)
        except REDIS_ERRORS as error:
            if not library_is_there(error):
                raise translate(error) from error

    def configure(self, *, lease: float) -> None:
        """Set how long a lease lasts, in seconds."""
        self._call(calls.configure(lease))

    def tick(self, limit: int = 100) -> int:
        """Sweep expired leases and promote due jobs; how many jobs moved."""
        return self._call(calls.tick(limit))

    def drain(self, name: str, grace: float | None) -> None:
        """Let a worker claim nothing more; `grace` seconds for what runs (None: all it takes).

        Raises `UnknownWorker`.
        """
        self._call(calls.drain(name, grace))

    def undrain(self, name: str) -> None:
        """Let a draining worker claim again. Raises `UnknownWorker`."""
        self._call(calls.undrain(name))

    # -- reading

    def get(self, job_id: str) -> Job:
        """One job. Raises `UnknownJob`."""
        return self._call(calls.get(job_id))

    def get_many(self, ids: Sequence[str]) -> builtins.list[Job | None]:
        """Several jobs in order, None for each that is not there."""
        return self._call(calls.get_many(ids))

    def list(
        self,
        status: Status | Iterable[Status] | None = None,
        name: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """A page of at most 500 jobs, newest first, by status and exact name."""
        return self._call(calls.listing(status, name, limit, cursor))

    def counts(self) -> dict[Status, int]:
        """How many jobs have each status."""
        return self._call(calls.counts())

    def workers(self) -> builtins.list[Worker]:
        """All registered workers."""
        return self._call(calls.workers())

    def events(
        self, last_id: str = "$", block: float = 5.0, count: int = 500
    ) -> builtins.list[Event]:
        """Transitions after `last_id` ("$": from now on), waiting for one if need be."""
        return self._read(calls.events(last_id, block, count))

    def ping(self) -> None:
        """Ask whether Redis answers."""
        self._execute("PING")

    def close(self) -> None:
        """Close all connections."""
        self._redis.close()

    def _call(self, call: Call[T]) -> T:
        command = ("FCALL", function_name(call.function), 1, self._prefix, *call.args)
        try:
            reply = self._send(*command)
        except REDIS_ERRORS as error:
            if not library_is_missing(error):
                raise translate(error) from error
            self.ensure_library()
            reply = self._execute(*command)
        return call.decode(reply)

    def _read(self, command: Command[T]) -> T:
        return command.decode(self._execute(*command.build(self._prefix)))

    def _execute(self, *command: str | float) -> Any:
        try:
            return self._send(*command)
        except REDIS_ERRORS as error:
            raise translate(error) from error
