"""Arrays: many jobs as one, told of, looked at and cancelled together."""

from fastapi import APIRouter

from jobctl.master.errors import ApiError
from jobctl.master.fleet_views import ArrayView, array_view
from jobctl.master.models import ArrayIn
from jobctl.master.reply import Json
from jobctl.master.service import ServiceDep
from jobctl.queue import AsyncQueue, UnknownJob

router = APIRouter(tags=["arrays"])


@router.put("/arrays/{array_id}", response_model=ArrayView)
async def open_array(array_id: str, body: ArrayIn, service: ServiceDep) -> Json:
    """Tell of an array before its jobs are submitted. Telling it again changes nothing."""
    await service.queue.open_array(array_id, body.size, body.max_fails)
    return Json(await _view(service.queue, array_id))


@router.get("/arrays/{array_id}", response_model=ArrayView)
async def read(array_id: str, service: ServiceDep) -> Json:
    """Show how many of an array's jobs have ended, and how."""
    return Json(await _view(service.queue, array_id))


@router.post("/arrays/{array_id}/cancel", response_model=ArrayView)
async def cancel(array_id: str, service: ServiceDep) -> Json:
    """Cancel all jobs of an array that have not ended, a part of them at a time."""
    await _view(service.queue, array_id)
    await service.queue.cancel_array(array_id)
    service.keeper.stir()
    return Json(await _view(service.queue, array_id))


async def _view(queue: AsyncQueue, array_id: str) -> ArrayView:
    try:
        return array_view(await queue.array(array_id))
    except UnknownJob as error:
        message, hint = f"There is no array {array_id}.", "jobctl jobs"
        [job] = await queue.get_many([array_id])
        if job is not None and job.array:
            message = f"{array_id} is no array, but a job of one."
            hint = f"jobctl jobs --array {job.array}"
        raise ApiError(404, "unknown-array", message, hint) from error
