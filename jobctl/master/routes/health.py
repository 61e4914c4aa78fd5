"""Whether the master lives, whether it can serve, and its numbers."""

import asyncio
import time
from contextlib import suppress

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.responses import PlainTextResponse, Response
from typing_extensions import TypedDict

from jobctl.master.metrics import CONTENT_TYPE, Standing, render
from jobctl.master.service import ServiceDep
from jobctl.queue import AsyncQueue, QueueError, Status

router = APIRouter(tags=["health"])

# Shorter than any caller's own patience: a Redis that hangs is a Redis that is not there.
_PATIENCE = 2.0


class LiveView(TypedDict):
    """The process answers."""

    live: bool


class ReadyWorkerView(TypedDict):
    """A registered worker as `jobctl up` needs it; ``container`` is the short id."""

    name: str
    container: str
    status: str


class ReadyView(TypedDict):
    """Whether jobs can be submitted, and who would run them."""

    ready: bool
    redis: bool
    workers: list[ReadyWorkerView]


class NotReadyView(TypedDict):
    """Why jobs cannot be submitted just now."""

    ready: bool
    redis: bool
    reason: str


class StatsView(TypedDict):
    """How many jobs there are in each status."""

    counts: dict[str, int]


@router.get("/livez", response_model=LiveView)
async def livez() -> JSONResponse:
    """Answer; needs no token."""
    return JSONResponse({"live": True})


@router.get("/readyz", response_model=ReadyView, responses={503: {"model": NotReadyView}})
async def readyz(service: ServiceDep) -> JSONResponse:
    """Say whether Redis serves the queue, and name the registered workers; needs no token."""
    if not service.keeper.ready:
        return _not_ready(service.keeper.reason, redis=False)
    if not service.feed.position:
        return _not_ready("The event stream has not been read yet.", redis=True)
    try:
        async with asyncio.timeout(_PATIENCE):
            workers = await service.queue.workers()
    except QueueError as error:
        return _not_ready(str(error), redis=False)
    except TimeoutError:
        return _not_ready(f"Redis has not answered for {_PATIENCE:g} s.", redis=False)
    workers.sort(key=lambda worker: worker.name)
    named = [{"name": w.name, "container": w.container, "status": w.status} for w in workers]
    return JSONResponse({"ready": True, "redis": True, "workers": named})


def _not_ready(reason: str, *, redis: bool) -> JSONResponse:
    return JSONResponse({"ready": False, "redis": redis, "reason": reason}, 503)


@router.get("/stats", response_model=StatsView)
async def stats(service: ServiceDep) -> JSONResponse:
    """Count the jobs by status."""
    counts = await service.queue.counts()
    return JSONResponse({"counts": {status.value: counts.get(status, 0) for status in Status}})


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(service: ServiceDep) -> Response:
    """Answer in the Prometheus text format."""
    standing: Standing | None = None
    # Told by jobctl_redis_up; the rest of the page is still worth having.
    with suppress(QueueError, TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            standing = await _standing(service.queue)
    return Response(render(standing, service.requests), media_type=CONTENT_TYPE)


async def _standing(queue: AsyncQueue) -> Standing:
    counts, queues, workers, gauges = await asyncio.gather(
        queue.counts(), queue.queues(), queue.workers(), queue.read_gauges()
    )
    return Standing(time.time_ns() // 1_000_000, counts, queues, workers, gauges)
