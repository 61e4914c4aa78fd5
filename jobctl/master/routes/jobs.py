"""Submitting, reading, waiting for, cancelling and retrying jobs."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from typing_extensions import TypedDict

from jobctl.master.bulk import Batch, to_spec
from jobctl.master.errors import ApiError
from jobctl.master.models import IdsIn, SpecIn
from jobctl.master.service import JobId, Service, ServiceDep
from jobctl.master.views import JobRow, JobView, job_row, job_view
from jobctl.queue import Job, Status

router = APIRouter(tags=["jobs"])


class BatchView(TypedDict):
    """What became of a batch; ``ids`` in the order of its lines."""

    submitted: int
    created: int
    ids: list[str]


class PageView(TypedDict):
    """Part of a listing; ``cursor`` asks for what follows, null at the end."""

    jobs: list[JobView]
    cursor: str | None


class RowsView(TypedDict):
    """Jobs in short by id; null where there is no such job."""

    jobs: dict[str, JobRow | None]


def _json(content: Any, status: int = 200) -> JSONResponse:
    # Straight to JSON: running every answer through a model costs more than making it.
    return JSONResponse(content, status)


@router.post("/jobs", status_code=202, response_model=JobView)
async def submit(spec: SpecIn, service: ServiceDep) -> JSONResponse:
    """Submit one job. With the same id again nothing new is made."""
    made = to_spec(spec, service.settings.defaults)
    await service.queue.submit([made])
    return _json(job_view(await service.queue.get(made.id)), 202)


@router.post(
    "/jobs:batch",
    status_code=202,
    response_model=BatchView,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "One job (as for POST /jobs) in each line.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
)
async def submit_batch(request: Request, service: ServiceDep) -> JSONResponse:
    """Submit many jobs, as a stream of lines of JSON.

    A bad line is answered with 422 and its number; the lines before it are accepted.
    """
    settings = service.settings
    batch = Batch(service.queue, settings.defaults, settings.limits)
    await batch.take(request.stream())
    return _json({"submitted": len(batch.ids), "created": batch.created, "ids": batch.ids}, 202)


@router.post("/jobs:status", response_model=RowsView)
async def statuses(body: IdsIn, service: ServiceDep) -> JSONResponse:
    """Look many jobs up at once."""
    most = service.settings.limits.page
    if len(body.ids) > most:
        raise ApiError(413, "too-large", f"At most {most} ids may be asked for at once.")
    jobs = await service.queue.get_many(body.ids)
    found = zip(body.ids, jobs, strict=True)
    return _json({"jobs": {name: job and job_row(job) for name, job in found}})


@router.get("/jobs", response_model=PageView)
async def listing(
    service: ServiceDep,
    status: Status | None = None,
    name: str | None = None,
    limit: Annotated[int, Query(ge=1)] = 50,
    cursor: str | None = None,
) -> JSONResponse:
    """List jobs, newest first."""
    limit = min(limit, service.settings.limits.page)
    page = await service.queue.list(status=status, name=name, limit=limit, cursor=cursor)
    return _json({"jobs": [job_view(job) for job in page.jobs], "cursor": page.cursor})


@router.get("/jobs/{job_id}", response_model=JobView)
async def read(
    job_id: JobId,
    service: ServiceDep,
    wait: Annotated[float, Query(ge=0, description="seconds, at most 60")] = 0,
) -> JSONResponse:
    """Show one job; with ``wait`` as soon as it has ended, or as it is by then."""
    return _json(job_view(await _settled(service, job_id, wait)))


async def _settled(service: Service, job_id: str, wait: float) -> Job:
    if not wait:
        return await service.queue.get(job_id)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(wait, service.settings.limits.wait)
    with service.feed.watch(job_id) as watch:
        while True:
            job = await service.queue.get(job_id)
            left = deadline - loop.time()
            if job.status.terminal or left <= 0 or service.feed.closed:
                return job
            await watch.wait(left)


@router.post("/jobs/{job_id}/cancel", response_model=JobView)
async def cancel(job_id: JobId, service: ServiceDep) -> JSONResponse:
    """Cancel a job; a running one ends a little later, ``cancelling`` until then."""
    return _json(job_view(await service.queue.cancel(job_id)))


@router.post("/jobs/{job_id}/retry", response_model=JobView)
async def retry(job_id: JobId, service: ServiceDep) -> JSONResponse:
    """Run an ended job once more: a new run with fresh counters."""
    return _json(job_view(await service.queue.retry(job_id)))
