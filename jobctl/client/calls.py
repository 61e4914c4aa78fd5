"""Every request to the master, once: its path, its parameters and how to read the answer.

`Client` and `AsyncClient` only play what is built here and in the scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from jobctl.client.errors import Invalid, NotFound, UnknownJob
from jobctl.client.request import Request
from jobctl.client.types import (
    ArrayInfo,
    Artifacts,
    Explanation,
    Job,
    JobRow,
    Page,
    QueueInfo,
    QueueState,
    Restored,
    Retried,
    Schedule,
    Worker,
)
from jobctl.queue.ids import is_id

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


def job_path(job_id: str) -> str:
    """Return where a job is; what cannot be an id is not asked for."""
    if not is_id(job_id):
        raise UnknownJob(f"There is no job {job_id}.", "jobctl jobs", "unknown-job")
    return f"/jobs/{job_id}"


def _array_path(array_id: str) -> str:
    if not is_id(array_id):
        raise NotFound(f"There is no array {array_id}.", "jobctl jobs", "unknown-array")
    return f"/arrays/{array_id}"


def _segment(text: str) -> str:
    """Make one component of a path of whatever the caller was given."""
    return quote(text, safe="")


def _json(answer: httpx.Response) -> Any:
    return answer.json()


def _field(name: str) -> Callable[[httpx.Response], Any]:
    return lambda answer: answer.json()[name]


def _nothing(_answer: httpx.Response) -> None:
    return None


# -- submitting


def submit(body: bytes) -> Request[Job]:
    """One job, as encoded JSON with its id."""
    return Request(method="POST", path="/jobs", content=body, persist=True, read=_json)


def submit_lines(body: bytes, *, whole: bool = False) -> Request[list[str]]:
    """Many jobs, one a line; as a ``whole`` all of them or none."""
    return Request(
        method="POST",
        path="/jobs:batch",
        params={"whole": "true"} if whole else None,
        content=body,
        content_type="application/x-ndjson",
        persist=True,
        await_rate=whole,  # otherwise part of them may be in: see `submitting`
        read=_field("ids"),
    )


# -- jobs


def job(job_id: str, wait: float | None = None) -> Request[Job]:
    """One job; with ``wait`` as soon as it ended, or as it is after so many seconds."""
    return Request(
        method="GET",
        path=job_path(job_id),
        params={"wait": wait},
        extra_time=wait or 0,
        read=_json,
    )


def jobs(
    *,
    status: str | None,
    name: str | None,
    array: str | None,
    cause: str | None,
    limit: int,
    cursor: str | None,
) -> Request[Page]:
    """A page of jobs, newest first."""
    wanted = {"status": status, "name": name, "array": array, "cause": cause}
    params = {**wanted, "limit": limit, "cursor": cursor}
    return Request(method="GET", path="/jobs", params=params, read=_json)


def statuses(ids: Sequence[str]) -> Request[dict[str, JobRow | None]]:
    """Many jobs in short, None for each that is not there."""
    return Request(method="POST", path="/jobs:status", json={"ids": ids}, read=_field("jobs"))


def explain(job_id: str) -> Request[Explanation]:
    """Why a job does not run, or ended as it did."""
    return Request(method="GET", path=f"{job_path(job_id)}/explain", read=_json)


def cancel(job_id: str) -> Request[Job]:
    """End a job."""
    return Request(method="POST", path=f"{job_path(job_id)}/cancel", repeat=False, read=_json)


def retry(job_id: str) -> Request[Job]:
    """A new run of an ended job."""
    return Request(method="POST", path=f"{job_path(job_id)}/retry", repeat=False, read=_json)


def retry_dead(
    name: str | None, cause: str | None, limit: int, cursor: str | None
) -> Request[Retried]:
    """A new run for one page of the failed jobs."""
    body = {"dead": True, "name": name, "cause": cause, "limit": limit, "cursor": cursor}
    said = {key: value for key, value in body.items() if value is not None}
    return Request(method="POST", path="/jobs:retry", json=said, repeat=False, read=_json)


# -- arrays


def open_array(array_id: str, size: int, max_fails: int | None) -> Request[ArrayInfo]:
    """Make an array known before its members; the same again changes nothing."""
    return Request(
        method="PUT",
        path=_array_path(array_id),
        json={"size": size, "max_fails": max_fails},
        persist=True,
        read=_json,
    )


def array(array_id: str) -> Request[ArrayInfo]:
    """How far an array is."""
    return Request(method="GET", path=_array_path(array_id), read=_json)


def cancel_array(array_id: str) -> Request[ArrayInfo]:
    """Cancel what of an array has not ended; the same again changes nothing."""
    return Request(method="POST", path=f"{_array_path(array_id)}/cancel", read=_json)


# -- queues and schedules


def queues() -> Request[list[QueueInfo]]:
    """All queues that are configured or have jobs."""
    return Request(method="GET", path="/queues", read=_field("queues"))


def set_queue(name: str, order: str) -> Request[QueueState]:
    """Pause, drain or resume a queue; the same again changes nothing."""
    if not name:
        raise Invalid("A queue needs a name.", "jobctl queue ls")
    return Request(method="POST", path=f"/queues/{_segment(name)}/{order}", read=_json)


def schedules() -> Request[list[Schedule]]:
    """The schedules of the cluster file, with their latest and next firing."""
    return Request(method="GET", path="/schedules", read=_field("schedules"))


# -- logs and files


def log_block(job_id: str, params: Mapping[str, Any]) -> Request[httpx.Response]:
    """A part of a log; its headers say where it ends."""
    return Request(method="GET", path=f"{job_path(job_id)}/logs", params=params, read=_itself)


def artifacts(job_id: str, attempt: int | None) -> Request[Artifacts]:
    """The files that an attempt left."""
    path = f"{job_path(job_id)}/artifacts"
    return Request(method="GET", path=path, params={"attempt": attempt}, read=_json)


def artifact_path(job_id: str, path: str) -> str:
    """Return where a file of a job is."""
    return f"{job_path(job_id)}/artifacts/{quote(path)}"


def _itself(answer: httpx.Response) -> httpx.Response:
    return answer


# -- the cluster


def workers() -> Request[list[Worker]]:
    """The registered workers, by name."""
    return Request(method="GET", path="/workers", read=_field("workers"))


def drain(name: str, grace: float | None) -> Request[None]:
    """Let a worker claim no more."""
    path = f"/workers/{_segment(name)}/drain"
    return Request(method="POST", path=path, json={"grace": grace}, read=_nothing)


def undrain(name: str) -> Request[None]:
    """Let a worker claim again."""
    return Request(method="POST", path=f"/workers/{_segment(name)}/undrain", read=_nothing)


def canary(name: str) -> Request[str]:
    """Submit a small function for one worker; the job's id."""
    return Request(method="POST", path=f"/workers/{_segment(name)}/canary", read=_field("id"))


def stats() -> Request[dict[str, int]]:
    """How many jobs there are in each status."""
    return Request(method="GET", path="/stats", read=_field("counts"))


def ready() -> Request[dict[str, Any]]:
    """Whether the master and its Redis are there."""
    return Request(method="GET", path="/readyz", read=_json)


def restore(content: Callable[[], Any]) -> Request[Restored]:
    """Put the jobs of a backup back; those that are there already are left alone."""
    return Request(
        method="POST",
        path="/restore",
        content=content,
        content_type="application/gzip",
        extra_time=3600,
        read=_json,
    )
