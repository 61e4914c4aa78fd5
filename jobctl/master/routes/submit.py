"""Submitting: one job, or a stream of them."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse
from typing_extensions import TypedDict

from jobctl.master.bulk import Batch, Ids, parse, take_whole
from jobctl.master.errors import ApiError
from jobctl.master.reply import Json
from jobctl.master.service import Service, ServiceDep
from jobctl.master.specs import SCHEMAS
from jobctl.master.views import JobView, job_view, queued

router = APIRouter(tags=["jobs"])

_MAX_CLIENT = 200
_ANYBODY = "anybody"


class BatchView(TypedDict):
    """What became of a batch; ``ids`` in the order of its lines, null if they were not wanted."""

    submitted: int
    created: int
    ids: list[str] | None


def _client(request: Request) -> str:
    """Return who submits; the queue trusts those without a name, but over HTTP nobody is."""
    name = request.headers.get("jobctl-client", "")
    if len(name) > _MAX_CLIENT or not name.isprintable():
        message = f"Jobctl-Client is at most {_MAX_CLIENT} printable characters."
        raise ApiError(422, "invalid", message)
    return name or _ANYBODY


_CLIENT_HEADER = {
    "in": "header",
    "name": "Jobctl-Client",
    "schema": {"type": "string", "maxLength": _MAX_CLIENT},
    "description": "who submits: whom the rate for clients is counted for",
}


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobView,
    openapi_extra={
        "parameters": [_CLIENT_HEADER],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": SCHEMAS.format(model="SpecIn")}}},
        },
    },
)
async def submit(request: Request) -> Json:
    """Submit one job. With the same id, or the same key, again nothing new is made."""
    # The body and the rest are taken as they come: finding out what a route needs, and
    # checking it twice, would cost more than all that is done here.
    service: Service = request.app.state.service
    made = parse(await request.body(), service.settings.defaults)
    [submitted] = await service.queue.submit([made], client=_client(request))
    timed = bool(made.delay) or made.at is not None
    if timed:
        service.keeper.stir()
    if submitted.queued_at is not None and not timed and not made.after:
        # What a new job looks like is known: reading it back would cost as much again.
        return Json(job_view(queued(made, submitted.queued_at)), 202)
    return Json(job_view(await service.queue.get(submitted.id)), 202)


@router.post(
    "/jobs:batch",
    status_code=202,
    response_model=BatchView,
    openapi_extra={
        "parameters": [_CLIENT_HEADER],
        "requestBody": {
            "required": True,
            "description": "One job (as for POST /jobs) in each line.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        },
    },
)
async def submit_batch(
    request: Request,
    service: ServiceDep,
    ids: Annotated[bool, Query(description="false: count them only, and take any number")] = True,
    whole: Annotated[bool, Query(description="true: all of them, at most 500, or none")] = False,
) -> Response:
    """Submit many jobs, as a stream of lines of JSON.

    A bad line is answered with 422 and its number; the lines before it are accepted, unless all
    are to be taken in as a whole.
    """
    settings = service.settings
    client = _client(request)
    if whole:
        taken = await take_whole(
            service.queue, request.stream(), settings.defaults, settings.limits, client=client
        )
        service.keeper.stir()
        made = {"submitted": len(taken), "created": sum(one.created for one in taken)}
        return Json({**made, "ids": [one.id for one in taken] if ids else None}, 202)
    batch = Batch(service.queue, settings.defaults, settings.limits, client=client, ids=ids)
    await batch.take(request.stream())
    service.keeper.stir()
    if batch.ids is None:
        return Json({"submitted": batch.submitted, "created": batch.created, "ids": None}, 202)
    body = _with_ids(batch, batch.ids)
    return StreamingResponse(body, 202, media_type=Json.media_type)


async def _with_ids(batch: Batch, ids: Ids) -> AsyncIterator[bytes]:
    yield b'{"submitted":%d,"created":%d,"ids":[' % (batch.submitted, batch.created)
    for piece in ids.json():
        yield piece
    yield b"]}"
