"""All transitions of all jobs, as a stream that can be resumed."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response, StreamingResponse

from jobctl.master import sse
from jobctl.master.errors import ApiError
from jobctl.master.feed import Subscription
from jobctl.master.service import Service, ServiceDep
from jobctl.master.views import event_view
from jobctl.queue import Event, QueueError

router = APIRouter(tags=["events"])


@router.get(
    "/events",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events: `open` once, then `jobs` per batch of transitions; "
            "Last-Event-ID resumes after the event of that id.",
            "content": {sse.MEDIA_TYPE: {}},
        }
    },
)
async def events(service: ServiceDep, last_event_id: Annotated[str, Header()] = "") -> Response:
    """Follow what happens to the jobs."""
    if last_event_id and _order(last_event_id) is None:
        message = f"Last-Event-ID {last_event_id!r} is not the id of an event."
        raise ApiError(422, "invalid", message)
    if not service.feed.position:
        message = "The event stream is not connected to Redis yet."
        raise ApiError(503, "unavailable", message, "jobctl ps", headers={"Retry-After": "1"})
    stream = _stream(service, last_event_id)
    return StreamingResponse(stream, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)


async def _stream(service: Service, last_id: str) -> AsyncIterator[bytes]:
    limits = service.settings.limits
    await service.feed.current()
    with service.feed.subscribe() as subscription:
        # Sent before anything else: once it is read, nothing that happens can be missed.
        position = last_id or subscription.position
        yield sse.event("open", {}, position)
        try:
            async for event in _missed(service, last_id, subscription):
                position = event.id
                yield _render(event)
        except QueueError:
            return  # the answer has begun, so this is all that can be said: come back later
        while True:
            try:
                latest = await subscription.next(limits.stream_heartbeat)
            except TimeoutError:
                yield sse.HEARTBEAT
                continue
            if latest is None:
                return
            if _after(latest.id, position):
                yield _render(latest)


async def _missed(
    service: Service, last_id: str, subscription: Subscription
) -> AsyncIterator[Event]:
    """Read from Redis what came after ``last_id`` (if any) and before the subscription."""
    while last_id and _after(subscription.position, last_id):
        batch = await service.queue.events(last_id, block=0)
        for event in batch:
            yield event
        if not batch:
            return
        last_id = batch[-1].id


def _render(event: Event) -> bytes:
    return sse.event("jobs", event_view(event), event.id)


def _after(one: str, other: str) -> bool:
    return (_order(one) or (0, 0)) > (_order(other) or (0, 0))


def _order(event_id: str) -> tuple[int, int] | None:
    """Return a Redis stream id (``ms-sequence``) as numbers that sort."""
    moment, _, number = event_id.partition("-")
    if moment.isdecimal() and (number.isdecimal() or not number):
        return int(moment), int(number or 0)
    return None
