"""The client: one method per thing the master can do."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from jobctl.client import calls, connecting, control, files, following, submitting, waiting
from jobctl.client.options import Options
from jobctl.client.request import Request
from jobctl.client.script import Link, perform
from jobctl.client.specs import Work, chunks, encode, make, prepare
from jobctl.client.transport import Transport
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


class Client:
    """A connection to one cluster's master, safe to use from several threads.

    Every method raises ClientError (see jobctl.client.errors). ``timeout`` is how many seconds
    one answer may take; ``patience`` is for how many seconds a request that does no harm when it
    is sent twice is sent again while the master or its Redis is away, e.g. being restarted, and
    how long a rate limit is waited for. Ids are minted here, so a submit is such a request; a
    master that never answered this client is waited for by submits only. ``name`` says who
    submits, for rate limits per client; ``on_rate`` is told the seconds of every wait for one.
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
        self._transport = Transport(self._link, token, name)

    @classmethod
    def from_cluster(
        cls,
        project: str | None = None,
        *,
        file: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> Self:
        """Connect to a cluster that runs on this machine's container engine.

        By its name, or the cluster of a cluster file; without either, of the cluster.yaml that
        applies to the current folder. ``options`` are those of the constructor. Raises
        ConfigError, EngineError or NotUp when there is none.
        """
        found = connecting.find(project, None if file is None else Path(file))
        return cls(found.url, found.token, **options)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, request: Request[T]) -> T:
        return self._transport.run(perform(self._link, request))

    # -- submitting

    def submit(
        self, work: Work | None = None, /, *args: Any, options: Options | None = None, **fields: Any
    ) -> Job:
        """Submit one job.

        A function (``"package.module:name"``, or itself) with its arguments by name or by position;
        a command as a list of words; or a mapping of all fields, with or instead of keywords:

            client.submit("mypkg.tasks:resize", path="a.png", width=64)
            client.submit(["convert", "a.png", "b.png"], options=Options(queue="big"))
            client.submit({"argv": ["echo", "hi"], "name": "greeting"})
        """
        body = encode(prepare(make(work, args, fields, options)))
        return self._ask(calls.submit(body))

    def submit_many(
        self,
        specs: Iterable[Mapping[str, Any]],
        *,
        chunk: int = 500,
        accepted: Callable[[int], None] | None = None,
        whole: bool = False,
    ) -> list[str]:
        """Submit jobs from any iterable, ``chunk`` at a time; return their ids in order.

        ``accepted`` is told the number so far after each chunk. An error tells how many are in
        (``details["accepted"]``); Invalid names the first bad job, and all before it are accepted.
        With ``whole`` either all of them, at most 500, are accepted or none.
        """
        done: list[str] = []
        if whole:
            parts = list(itertools.islice(chunks(specs, MAX_BATCH), 2))
            done = self._transport.run(submitting.send_whole(self._link, parts))
            if accepted:
                accepted(len(done))
            return done
        for one in chunks(specs, chunk):
            done += self._transport.run(submitting.send(self._link, one, len(done)))
            if accepted:
                accepted(len(done))
        return done

    def map(
        self,
        work: Work,
        items: Iterable[Any],
        *,
        options: Options | None = None,
        max_fails: int | None = None,
        array: str | None = None,
    ) -> Array:
        """Submit one job per item as an array; its ``ids`` are in the order of the items.

        A mapping is a function's keyword arguments, a tuple its positional ones, anything else its
        only one. When more than ``max_fails`` have failed, the rest is cancelled. The array's
        ``id`` (a ULID of your own, or one is minted) is what other jobs name in ``after``.
        """
        made = submitting.array_of(work, list(items), options, max_fails, array)
        self._ask(made.opened)
        return Array(made.id, self.submit_many(made.specs))

    # -- jobs

    def job(self, job_id: str, wait: float | None = None) -> Job:
        """Return one job; with ``wait`` as soon as it ended, or as it is after so many seconds."""
        return self._ask(calls.job(job_id, wait))

    def jobs(
        self,
        *,
        status: str | None = None,
        name: str | None = None,
        array: str | None = None,
        cause: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """List jobs, newest first; a page may be short although its ``cursor`` asks for more."""
        request = calls.jobs(
            status=status, name=name, array=array, cause=cause, limit=limit, cursor=cursor
        )
        return self._ask(request)

    def statuses(self, ids: Iterable[str]) -> dict[str, JobRow | None]:
        """Look many jobs up; None for each that does not exist."""
        return self._transport.run(waiting.statuses(self._link, ids))

    def wait(self, ids: Iterable[str], timeout: float | None = None) -> Iterator[JobRow]:
        """Yield each job as it ends; raises NotFinished when ``timeout`` seconds are over."""
        return self._transport.iterate(waiting.wait(self._link, ids, timeout))

    def result(self, job_id: str, timeout: float | None = None) -> Any:
        """Wait for a job and return what its function returned; None for a command.

        Raises JobFailed (with ``cause`` and ``reason``) when it did not succeed, and NotFinished
        when ``timeout`` seconds are over.
        """
        return self._transport.run(waiting.result(self._link, job_id, timeout))

    def results(self, ids: Iterable[str], timeout: float | None = None) -> Iterator[Any]:
        """Yield the results of several jobs in the order of their ids, each as `result` does."""
        return self._transport.iterate(waiting.results(self._link, ids, timeout))

    def explain(self, job_id: str) -> Explanation:
        """Say why a job does not run, or why it ended as it did."""
        return self._ask(calls.explain(job_id))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job that has not ended."""
        return self._ask(calls.cancel(job_id))

    def retry(self, job_id: str) -> Job:
        """Run an ended job once more."""
        return self._ask(calls.retry(job_id))

    def retry_dead(
        self,
        *,
        name: str | None = None,
        cause: str | None = None,
        retried: Callable[[int], None] | None = None,
    ) -> list[str]:
        """Run all failed jobs (of a name, of a cause) once more; return their ids.

        ``retried`` is told the number so far after each page of them.
        """
        return self._transport.run(control.retry_dead(self._link, name, cause, retried))

    # -- arrays

    def open_array(self, array_id: str, size: int, max_fails: int | None = None) -> ArrayInfo:
        """Make an array known, under an id of your own, before jobs with ``array`` are submitted.

        When more than ``max_fails`` of its ``size`` members have failed, the rest is cancelled.
        """
        return self._ask(calls.open_array(array_id, size, max_fails))

    def array(self, array_id: str) -> ArrayInfo:
        """Return how far an array is."""
        return self._ask(calls.array(array_id))

    def cancel_array(self, array_id: str) -> ArrayInfo:
        """Cancel all members of an array that have not ended."""
        return self._ask(calls.cancel_array(array_id))

    # -- queues and schedules

    def queues(self) -> list[QueueInfo]:
        """List the queues, by name."""
        return self._ask(calls.queues())

    def pause(self, queue: str) -> QueueState:
        """Let no job of a queue start; what runs goes on, and submits are taken."""
        return self._ask(calls.set_queue(queue, "pause"))

    def drain_queue(self, queue: str) -> QueueState:
        """Refuse further submits to a queue (QueueClosed); what is in it runs."""
        return self._ask(calls.set_queue(queue, "drain"))

    def resume(self, queue: str) -> QueueState:
        """Open a paused or draining queue again."""
        return self._ask(calls.set_queue(queue, "resume"))

    def schedules(self) -> list[Schedule]:
        """List the schedules, by name."""
        return self._ask(calls.schedules())

    # -- logs and files

    def logs(
        self,
        job_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        limit: int | None = None,
        tail: int | None = None,
        since: str | float | None = None,
    ) -> bytes:
        """Return the log of one attempt (the latest if left out), as it is by now.

        ``tail``: last lines; ``since``: an ISO-8601 moment or seconds since the epoch;
        ``offset`` and ``limit``: bytes.
        """
        start = {"attempt": attempt, "offset": offset, "tail": tail, "since": since}
        return b"".join(self._transport.iterate(files.log(self._link, job_id, start, limit)))

    def read_log(
        self,
        job_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        limit: int | None = None,
        tail: int | None = None,
        since: str | float | None = None,
    ) -> Iterator[bytes]:
        """Yield what `logs` returns, a block at a time: for logs that do not fit in memory."""
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
    ) -> Iterator[FollowEvent]:
        """Yield the job's log as it grows, through all further attempts, until the job ends.

        Connects again by itself wherever it was; the last event is ``end``.
        """
        start = {"attempt": attempt, "offset": offset, "tail": tail, "since": since}
        path = f"{calls.job_path(job_id)}/logs"
        return self._transport.iterate(following.follow(self._link, path, start))

    def artifacts(self, job_id: str, *, attempt: int | None = None) -> Artifacts:
        """List the files that the accepted attempt (or the one given) left."""
        return self._ask(calls.artifacts(job_id, attempt))

    def artifact(
        self, job_id: str, path: str, dest: str | os.PathLike[str], *, attempt: int | None = None
    ) -> Path:
        """Download one file to ``dest``, which appears whole or not at all."""
        where = calls.artifact_path(job_id, path)
        script = files.download(self._link, where, dest, params={"attempt": attempt})
        return self._transport.run(script)

    # -- the cluster

    def workers(self) -> list[Worker]:
        """List the registered workers, by name."""
        return self._ask(calls.workers())

    def drain(self, name: str, grace: float | None = None) -> None:
        """Let a worker claim no more; after ``grace`` seconds it hands back what still runs."""
        self._ask(calls.drain(name, grace))

    def undrain(self, name: str) -> None:
        """Let a drained worker claim again."""
        self._ask(calls.undrain(name))

    def canary(self, name: str) -> str:
        """Submit a small function that only this worker runs, when it is idle; the job's id."""
        return self._ask(calls.canary(name))

    def stats(self) -> dict[str, int]:
        """Return how many jobs there are in each status."""
        return self._ask(calls.stats())

    def events(self, last_id: str = "") -> Iterator[Event]:
        """Yield every change of any job from now on, or after ``last_id``; never ends."""
        return self._transport.iterate(waiting.events(self._link, last_id))

    def ready(self) -> dict[str, Any]:
        """Ask /readyz once: ``ready``, ``redis``, and ``workers`` or the ``reason`` why not."""
        return self._transport.run(control.ready())

    def backup(
        self, dest: str | os.PathLike[str], *, told: Callable[[int], None] | None = None
    ) -> Path:
        """Save all jobs, arrays, queue states and schedules as one file, while they change.

        The file appears whole or not at all; ``told`` is told the bytes so far.
        """
        return self._transport.run(files.backup(self._link, dest, told))

    def restore(
        self, source: str | os.PathLike[str], *, told: Callable[[int], None] | None = None
    ) -> Restored:
        """Put the jobs of a backup into this cluster; those that it has are left alone."""
        return self._transport.run(files.restore(self._link, source, told))
