"""Reading, waiting for, cancelling and retrying jobs; why a job is where it is."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from jobctl.master.errors import ApiError
from jobctl.master.fleet_views import ExplanationView, explanation_view
from jobctl.master.models import DeadIn, IdsIn
from jobctl.master.reply import Json
from jobctl.master.service import JobId, Service, ServiceDep
from jobctl.master.views import JobRow, JobView, job_row, job_view
from jobctl.queue import Cause, Job, Status
from jobctl.queue.explain import explain

router = APIRouter(tags=["jobs"])


class PageView(TypedDict):
    """Part of a listing; ``cursor`` asks for what follows, null at the end."""

    jobs: list[JobView]
    cursor: str | None


class RowsView(TypedDict):
    """Jobs in short by id; null where there is no such job."""

    jobs: dict[str, JobRow | None]


class RetriedView(TypedDict):
    """The failed jobs that run once more; ``cursor`` asks for the next, null at the end."""

    ids: list[str]
    cursor: str | None


@router.post("/jobs:status", response_model=RowsView)
async def statuses(body: IdsIn, service: ServiceDep) -> Json:
    """Look many jobs up at once."""
    most = service.settings.limits.page
    if len(body.ids) > most:
        raise ApiError(413, "too-large", f"At most {most} ids may be asked for at once.")
    jobs = await service.queue.get_many(body.ids)
    found = zip(body.ids, jobs, strict=True)
    return Json({"jobs": {name: job and job_row(job) for name, job in found}})


@router.post("/jobs:retry", response_model=RetriedView)
async def retry_dead(body: DeadIn, service: ServiceDep) -> Json:
    """Run failed jobs once more: a page of those of a name or with a cause, or of all."""
    if not body.dead:
        raise ApiError(422, "invalid", "dead: only the failed jobs can be retried together.")
    limit = min(body.limit, service.settings.limits.page)
    ids, cursor = await service.queue.retry_dead(
        limit, body.cursor, name=body.name, cause=body.cause
    )
    return Json({"ids": ids, "cursor": cursor or None})


class _Filters(BaseModel):
    """Which jobs are listed: those that meet all that is given."""

    status: Status | None = None
    name: str | None = None
    array: str | None = None
    cause: Cause | None = None
    limit: int = Field(default=50, ge=1)
    cursor: str | None = None


@router.get("/jobs", response_model=PageView)
async def listing(service: ServiceDep, filters: Annotated[_Filters, Query()]) -> Json:
    """List jobs, newest first. A page may be short although more follows: go by ``cursor``."""
    limit = min(filters.limit, service.settings.limits.page)
    page = await service.queue.list(
        filters.status, filters.name, limit, filters.cursor, filters.array, cause=filters.cause
    )
    return Json({"jobs": [job_view(job) for job in page.jobs], "cursor": page.cursor})


@router.get("/jobs/{job_id}", response_model=JobView)
async def read(
    job_id: JobId,
    service: ServiceDep,
    wait: Annotated[float, Query(ge=0, description="seconds, at most 60")] = 0,
) -> Json:
    """Show one job; with ``wait`` as soon as it has ended, or as it is by then."""
    return Json(job_view(await _settled(service, job_id, wait)))


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
async def cancel(job_id: JobId, service: ServiceDep) -> Json:
    """Cancel a job; a running one ends a little later, ``cancelling`` until then."""
    return Json(job_view(await service.queue.cancel(job_id)))


@router.post("/jobs/{job_id}/retry", response_model=JobView)
async def retry(job_id: JobId, service: ServiceDep) -> Json:
    """Run an ended job once more: a new run with fresh counters."""
    return Json(job_view(await service.queue.retry(job_id)))


@router.get("/jobs/{job_id}/explain", response_model=ExplanationView)
async def explained(job_id: JobId, service: ServiceDep) -> Json:
    """Say why a job is not running yet, or why it ended as it did."""
    facts = await service.queue.facts(job_id)
    said = explain(facts, facts.now_ms, service.settings.scaled)
    return Json(explanation_view(facts.job, said))
