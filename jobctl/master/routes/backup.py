"""The whole state of the queue as one file, and back."""

import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse
from typing_extensions import TypedDict

from jobctl.master.archive import Restorer, write
from jobctl.master.errors import ApiError, from_queue
from jobctl.master.reply import Json
from jobctl.master.service import ServiceDep
from jobctl.queue import QueueError
from jobctl.queue.backup import BackupWriter

router = APIRouter(tags=["backup"])

_MEDIA_TYPE = "application/gzip"


class RestoredView(TypedDict):
    """What was put back: ``restored`` jobs that were not there; ``counts``: what the file held."""

    restored: int
    counts: dict[str, int]


@router.get(
    "/backup",
    response_class=Response,
    responses={
        200: {
            "description": "gzip; a JSON object a line. The last line says that it is whole.",
            "content": {_MEDIA_TYPE: {}},
        }
    },
)
async def backup(service: ServiceDep) -> Response:
    """Send all jobs, arrays, states of queues and schedules, while everything goes on.

    Each job is as it was at some moment of the sending.
    """
    now = time.time_ns() // 1_000_000
    pieces = write(service.queue, BackupWriter(service.settings.project, now))
    # The first one now: a Redis that is away is an error, not half a file.
    first = await anext(pieces, b"")
    name = f"{service.settings.project}.jobctl-backup"
    return StreamingResponse(
        _after(first, pieces),
        media_type=_MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _after(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    # An error from here on breaks the connection off: nobody takes what came for a whole file.
    async for piece in pieces:
        yield piece


@router.post(
    "/restore",
    response_model=RestoredView,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "What GET /backup gave, of this or of another cluster.",
            "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def restore(request: Request, service: ServiceDep) -> Json:
    """Put back what a backup holds and is not here. Jobs that were running are queued again."""
    restorer = Restorer(service.queue)
    try:
        await restorer.take(request.stream())
    except QueueError as error:
        raise _broken(from_queue(error), restorer.restored) from error
    service.keeper.stir()
    return Json({"restored": restorer.restored, "counts": restorer.counts})


def _broken(error: ApiError, restored: int) -> ApiError:
    return ApiError(
        error.status_code,
        error.code,
        f"{error.message} {restored} jobs were restored.",
        error.hint,
        headers=error.headers,
        extra={"restored": restored},
    )
