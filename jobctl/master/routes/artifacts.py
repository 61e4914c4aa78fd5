"""The files that a job's accepted attempt left in its output folder."""

import asyncio
import os
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from starlette.responses import Response
from typing_extensions import TypedDict

from jobctl.master import beneath
from jobctl.master.download import send_range
from jobctl.master.errors import ApiError, unknown_attempt
from jobctl.master.service import JobId, Service, ServiceDep

router = APIRouter(tags=["artifacts"])

_Attempt = Annotated[int | None, Query(ge=1, description="the accepted one if left out")]


class FileView(TypedDict):
    """A file: its path in the output folder, its size in bytes."""

    path: str
    size: int


class FilesView(TypedDict):
    """The files of one attempt; ``attempt`` is null for a job that ended without one.

    ``complete`` is false when there are more files than one answer holds.
    """

    attempt: int | None
    files: list[FileView]
    complete: bool


@router.get("/jobs/{job_id}/artifacts", response_model=FilesView)
async def listing(job_id: JobId, service: ServiceDep, attempt: _Attempt = None) -> JSONResponse:
    """List the files of the accepted attempt, or of the one asked for."""
    chosen = await _chosen(service, job_id, attempt)
    files: list[tuple[str, int]] = []
    complete = True
    if chosen is not None:
        settings = service.settings
        folder = (job_id, str(chosen), "output")
        most = settings.limits.artifact_files
        files, complete = await asyncio.to_thread(beneath.walk, settings.jobs_dir, folder, most)
    # A name need not be UTF-8; what cannot be said in JSON is shown as "?".
    shown = [(path.encode("utf-8", "replace").decode(), size) for path, size in files]
    listed = [{"path": path, "size": size} for path, size in shown]
    return JSONResponse({"attempt": chosen, "files": listed, "complete": complete})


@router.get(
    "/jobs/{job_id}/artifacts/{path:path}",
    response_class=Response,
    responses={200: {"description": "The file.", "content": {"application/octet-stream": {}}}},
)
async def download(
    job_id: JobId, path: str, service: ServiceDep, attempt: _Attempt = None
) -> Response:
    """Download one file. Links, devices and whatever lies outside the folder do not exist here."""
    chosen = await _chosen(service, job_id, attempt)
    settings = service.settings
    try:
        parts = (job_id, str(chosen), "output", *beneath.split(path))
        fd = await asyncio.to_thread(beneath.open_file, settings.jobs_dir, parts)
    except beneath.NotBeneathError:
        message = f"Job {job_id} has no artifact {path!r}."
        raise ApiError(404, "unknown-artifact", message, f"jobctl artifacts {job_id}") from None
    headers = {
        "X-Artifact-Attempt": str(chosen),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(parts[-1], safe='')}",
    }
    size = os.fstat(fd).st_size
    return send_range(fd, 0, size, settings.limits.read_block, headers)


async def _chosen(service: Service, job_id: str, attempt: int | None) -> int | None:
    job = await service.queue.get(job_id)
    if attempt is not None:
        if attempt > job.attempt:
            raise unknown_attempt(job_id, job.attempt, attempt)
        return attempt
    if job.accepted is None and not job.status.terminal:
        message = f"Job {job_id} is {job.status}; its artifacts are there when it has ended."
        raise ApiError(409, "wrong-status", message, f"jobctl wait {job_id}")
    return job.accepted
