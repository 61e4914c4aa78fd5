"""The queues, and holding one up."""

from typing import Annotated

from fastapi import APIRouter, Depends
from typing_extensions import TypedDict

from jobctl.master.errors import ApiError
from jobctl.master.fleet_views import QueueView, queue_view
from jobctl.master.reply import Json
from jobctl.master.service import ServiceDep
from jobctl.queue import QueueState, is_queue_name

router = APIRouter(tags=["queues"])


class QueuesView(TypedDict):
    """All queues that hold jobs, were held up, or have a rate; by name."""

    queues: list[QueueView]


class StateView(TypedDict):
    """What a queue does from now on."""

    name: str
    state: str


async def _queue_name(name: str) -> str:
    if not is_queue_name(name):
        raise ApiError(422, "invalid", f"{name!r} is no queue name.", "jobctl queue ls")
    return name


QueueName = Annotated[str, Depends(_queue_name)]


@router.get("/queues", response_model=QueuesView)
async def listing(service: ServiceDep) -> Json:
    """List the queues."""
    found = await service.queue.queues()
    return Json({"queues": [queue_view(queue) for queue in found]})


@router.post("/queues/{name}/pause", response_model=StateView)
async def pause(name: QueueName, service: ServiceDep) -> Json:
    """Let nothing more be claimed; what runs goes on, and submits are taken."""
    await service.queue.pause(name)
    return _state(name, QueueState.PAUSED)


@router.post("/queues/{name}/drain", response_model=StateView)
async def drain(name: QueueName, service: ServiceDep) -> Json:
    """Take no more submits; what is there runs out."""
    await service.queue.drain_queue(name)
    return _state(name, QueueState.DRAINING)


@router.post("/queues/{name}/resume", response_model=StateView)
async def resume(name: QueueName, service: ServiceDep) -> Json:
    """Undo a pause or drain."""
    await service.queue.resume(name)
    return _state(name, QueueState.OPEN)


def _state(name: str, state: QueueState) -> Json:
    return Json({"name": name, "state": state})
