"""The workers, and taking one out of service."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from typing_extensions import TypedDict

from jobctl.master.fleet_views import WorkerView, worker_view
from jobctl.master.models import DrainIn
from jobctl.master.service import ServiceDep

router = APIRouter(tags=["workers"])


class WorkersView(TypedDict):
    """All registered workers, by name."""

    workers: list[WorkerView]


class NameView(TypedDict):
    """The worker an order went to."""

    name: str


class CanaryView(TypedDict):
    """The job that shows whether a worker can run anything."""

    id: str


@router.get("/workers", response_model=WorkersView)
async def listing(service: ServiceDep) -> JSONResponse:
    """List the registered workers."""
    workers = sorted(await service.queue.workers(), key=lambda worker: worker.name)
    return JSONResponse({"workers": [worker_view(worker) for worker in workers]})


@router.post("/workers/{name}/drain", response_model=NameView)
async def drain(name: str, service: ServiceDep, body: DrainIn | None = None) -> JSONResponse:
    """Let a worker claim no more, and finish or hand back what it holds."""
    await service.queue.drain(name, body.grace if body else None)
    return JSONResponse({"name": name})


@router.post("/workers/{name}/undrain", response_model=NameView)
async def undrain(name: str, service: ServiceDep) -> JSONResponse:
    """Let a drained worker claim again."""
    await service.queue.undrain(name)
    return JSONResponse({"name": name})


@router.post("/workers/{name}/trial", response_model=NameView)
async def trial(name: str, service: ServiceDep) -> JSONResponse:
    """Let whoever registers under this name next get no job but canaries, until undrained."""
    await service.queue.trial(name)
    return JSONResponse({"name": name})


@router.post("/workers/{name}/canary", response_model=CanaryView, status_code=202)
async def canary(name: str, service: ServiceDep) -> JSONResponse:
    """Submit a small function that only this worker runs, as soon as it is idle."""
    return JSONResponse({"id": await service.queue.canary(name)}, status_code=202)
