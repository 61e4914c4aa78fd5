"""The client: one method per thing the master can do."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

from jobctl.client import following, waiting
from jobctl.client.errors import ClientError, Unavailable, UnknownJob, Unreachable
from jobctl.client.specs import chunks, prepare
from jobctl.client.transport import Transport
from jobctl.client.types import Artifacts, Event, FollowEvent, Job, JobRow, Page, Worker
from jobctl.queue.ids import is_id, new_id

_LOG_BLOCK = 4 * 1024 * 1024


class Client:
    """A connection to one cluster's master, safe to use from several threads.

    Every method raises ClientError (see jobctl.client.errors). ``timeout`` is how many seconds
    one answer may take; ``patience`` is for how many seconds a request that does no harm when it
    is sent twice is sent again while the master or its Redis is away, e.g. being restarted. Ids
    are minted here, so a submit is such a request; a master that never answered this client is
    waited for by submits only.
    """

    def __init__(
        self, url: str, token: str, *, timeout: float = 10.0, patience: float = 15.0
    ) -> None:
        self._transport = Transport(url, token, timeout, patience)

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

    # -- submitting

    def submit(self, spec: Mapping[str, Any] | None = None, **fields: Any) -> Job:
        """Submit one job, given as a mapping, as keywords, or both; ``argv`` is required."""
        ready = prepare({**(spec or {}), **fields})
        return self._job(self._transport.call("POST", "/jobs", json=ready, persist=True))

    def submit_many(
        self,
        specs: Iterable[Mapping[str, Any]],
        *,
        chunk: int = 500,
        accepted: Callable[[int], None] | None = None,
    ) -> list[str]:
        """Submit jobs from any iterable, ``chunk`` at a time; return their ids in order.

        ``accepted`` is told the number so far after each chunk. An error tells how many are in
        (``details["accepted"]``); Invalid names the first bad job, and all before it are accepted.
        """
        done: list[str] = []
        for ids, body in chunks(specs, chunk):
            try:
                self._transport.call("POST", "/jobs:batch", content=body, persist=True)
            except ClientError as error:
                raise _counted(error, len(done)) from error
            done += ids
            if accepted:
                accepted(len(done))
        return done

    # -- jobs

    def job(self, job_id: str, wait: float | None = None) -> Job:
        """Return one job; with ``wait`` as soon as it ended, or as it is after so many seconds."""
        path = _job_path(job_id)
        extra = wait or 0
        return self._job(self._transport.call("GET", path, params={"wait": wait}, extra_time=extra))

    def jobs(
        self,
        *,
        status: str | None = None,
        name: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """List jobs, newest first."""
        params = {"status": status, "name": name, "limit": limit, "cursor": cursor}
        return cast("Page", self._transport.call("GET", "/jobs", params=params).json())

    def statuses(self, ids: Iterable[str]) -> dict[str, JobRow | None]:
        """Look many jobs up; None for each that does not exist."""
        return waiting.statuses(self._transport, ids)

    def wait(self, ids: Iterable[str], timeout: float | None = None) -> Iterator[JobRow]:
        """Yield each job as it ends; raises NotFinished when ``timeout`` seconds are over."""
        return waiting.wait(self._transport, ids, timeout)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job that has not ended."""
        path = f"{_job_path(job_id)}/cancel"
        return self._job(self._transport.call("POST", path, repeat=False))

    def retry(self, job_id: str) -> Job:
        """Run an ended job once more."""
        path = f"{_job_path(job_id)}/retry"
        return self._job(self._transport.call("POST", path, repeat=False))

    @staticmethod
    def _job(answer: Any) -> Job:
        return cast("Job", answer.json())

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
        pieces = self.read_log(
            job_id, attempt=attempt, offset=offset, limit=limit, tail=tail, since=since
        )
        return b"".join(pieces)

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
        path = f"{_job_path(job_id)}/logs"
        # `tail` and `since` choose where the first block starts; the others follow on from it.
        params = {"attempt": attempt, "offset": offset, "tail": tail, "since": since}
        left = limit
        while left is None or left > 0:
            block = _LOG_BLOCK if left is None else min(left, _LOG_BLOCK)
            answer = self._transport.call("GET", path, params={**params, "limit": block})
            if not answer.content:
                return
            yield answer.content
            left = None if left is None else left - len(answer.content)
            params = {
                "attempt": int(answer.headers["X-Log-Attempt"]),
                "offset": int(answer.headers["X-Log-End"]),
            }

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
        return following.follow(self._transport, f"{_job_path(job_id)}/logs", start)

    def artifacts(self, job_id: str, *, attempt: int | None = None) -> Artifacts:
        """List the files that the accepted attempt (or the one given) left."""
        path = f"{_job_path(job_id)}/artifacts"
        return cast(
            "Artifacts", self._transport.call("GET", path, params={"attempt": attempt}).json()
        )

    def artifact(
        self, job_id: str, path: str, dest: str | os.PathLike[str], *, attempt: int | None = None
    ) -> Path:
        """Download one file to ``dest``, which appears whole or not at all."""
        target = Path(dest)
        url = f"{_job_path(job_id)}/artifacts/{quote(path)}"
        # A name of its own beside the target: renaming it is then atomic.
        part = target.with_name(f".{target.name}.{new_id()}.part")
        patience = self._transport.reconnecting()
        try:
            while True:
                try:
                    self._download(url, attempt, part)
                    return part.replace(target)
                except (Unreachable, Unavailable) as error:
                    patience.pause(error)
        except OSError as error:
            raise ClientError(f"Cannot write {target}: {error.strerror}.") from error
        finally:
            part.unlink(missing_ok=True)

    def _download(self, url: str, attempt: int | None, part: Path) -> None:
        silence = self._transport.timeout
        with (
            self._transport.stream(url, params={"attempt": attempt}, silence=silence) as answer,
            part.open("wb") as file,
        ):
            for piece in answer.iter_raw():
                file.write(piece)

    # -- the cluster

    def workers(self) -> list[Worker]:
        """List the registered workers, by name."""
        return cast("list[Worker]", self._transport.call("GET", "/workers").json()["workers"])

    def drain(self, name: str, grace: float | None = None) -> None:
        """Let a worker claim no more; after ``grace`` seconds it hands back what still runs."""
        self._transport.call("POST", f"/workers/{_segment(name)}/drain", json={"grace": grace})

    def undrain(self, name: str) -> None:
        """Let a drained worker claim again."""
        self._transport.call("POST", f"/workers/{_segment(name)}/undrain")

    def stats(self) -> dict[str, int]:
        """Return how many jobs there are in each status."""
        return cast("dict[str, int]", self._transport.call("GET", "/stats").json()["counts"])

    def events(self, last_id: str = "") -> Iterator[Event]:
        """Yield every change of any job from now on, or after ``last_id``; never ends."""
        return waiting.events(self._transport, last_id)

    def ready(self) -> dict[str, Any]:
        """Ask /readyz once: ``ready``, ``redis``, and ``workers`` or the ``reason`` why not."""
        return cast("dict[str, Any]", self._transport.raw("/readyz").json())


def _segment(text: str) -> str:
    """Make one component of a path of whatever the caller was given."""
    return quote(text, safe="")


def _job_path(job_id: str) -> str:
    """Return where a job is; what cannot be an id is not asked for."""
    if not is_id(job_id):
        raise UnknownJob(f"There is no job {job_id}.", "jobctl jobs", "unknown-job")
    return f"/jobs/{job_id}"


def _counted(error: ClientError, before: int) -> ClientError:
    """Number and count within all the jobs that were given, not within the chunk that failed."""
    chunk = error.details.get("accepted")
    accepted = before + int(chunk or 0)
    if chunk is None and not accepted:
        return error
    told = str(error).removesuffix(f" {chunk} jobs of this batch were accepted.")
    details = {**error.details, "accepted": accepted}
    if (line := error.details.get("line")) is not None:
        details["line"] = before + int(line)
        told = told.replace(f"Line {line}: ", f"Job {details['line']}: ", 1)
    return type(error)(f"{told} Accepted before that: {accepted}.", error.hint, error.code, details)
