"""A job's log as bytes, or followed as it grows."""

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import Response, StreamingResponse

from jobctl.master import logfile, sse
from jobctl.master.download import send_range
from jobctl.master.errors import ApiError, unknown_attempt
from jobctl.master.follow import Position, follow
from jobctl.master.service import JobId, Service, ServiceDep
from jobctl.queue import Job

router = APIRouter(tags=["logs"])


@dataclass(frozen=True)
class _Wanted:
    """Which part of a log is asked for: from the latest of the starts given."""

    attempt: int | None
    offset: int
    limit: int | None
    tail: int | None
    since: int | None


async def _wanted(
    attempt: Annotated[int | None, Query(ge=1, description="the latest one if left out")] = None,
    offset: Annotated[int, Query(ge=0, description="first byte")] = 0,
    limit: Annotated[int | None, Query(ge=0, description="bytes at most")] = None,
    tail: Annotated[int | None, Query(ge=0, description="last lines only")] = None,
    since: Annotated[
        str | None, Query(description="ISO-8601 moment, or seconds since the epoch")
    ] = None,
) -> _Wanted:
    moment = None if since is None else _moment(since)
    return _Wanted(attempt, offset, limit, tail, moment)


@router.get(
    "/jobs/{job_id}/logs",
    response_class=Response,
    responses={
        200: {
            "description": "Raw bytes, with the range in X-Log-Attempt, X-Log-Offset and "
            "X-Log-End; with follow=1 server-sent events `log`, `status` and `end`.",
            "content": {"application/octet-stream": {}, sse.MEDIA_TYPE: {}},
        }
    },
)
async def logs(
    job_id: JobId,
    service: ServiceDep,
    wanted: Annotated[_Wanted, Depends(_wanted)],
    follow_: Annotated[bool, Query(alias="follow")] = False,
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """Read one attempt's log, or follow the job's logs to the job's end."""
    job = await service.queue.get(job_id)
    if follow_:
        start = Position.parse(last_event_id)
        if start is None:
            attempt = _attempt(job, wanted)
            start = await asyncio.to_thread(_start, service, job, attempt, wanted)
        events = follow(service, job_id, start)
        return StreamingResponse(events, media_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
    return await asyncio.to_thread(_range, service, job, _attempt(job, wanted), wanted)


def _attempt(job: Job, wanted: _Wanted) -> int:
    attempt = wanted.attempt or max(job.attempt, 1)
    if attempt > max(job.attempt, 1):
        raise unknown_attempt(job.id, job.attempt, attempt)
    return attempt


def _range(service: Service, job: Job, attempt: int, wanted: _Wanted) -> Response:
    fd = logfile.open_log(service.settings.jobs_dir, job.id, attempt)
    if fd is None:
        return Response(media_type="application/octet-stream", headers=_headers(attempt, 0, 0))
    try:
        size = logfile.size(fd)
        start = _offset(service, job, attempt, wanted, fd)
    except BaseException:
        os.close(fd)
        raise
    end = size if wanted.limit is None else min(size, start + wanted.limit)
    end = max(start, end)
    block = service.settings.limits.read_block
    return send_range(fd, start, end, block, _headers(attempt, start, end))


def _start(service: Service, job: Job, attempt: int, wanted: _Wanted) -> Position:
    fd = logfile.open_log(service.settings.jobs_dir, job.id, attempt)
    if fd is None:
        # Nothing written yet: a tail or a moment can only begin at the beginning.
        return Position(attempt, wanted.offset)
    try:
        return Position(attempt, _offset(service, job, attempt, wanted, fd))
    finally:
        os.close(fd)


def _offset(service: Service, job: Job, attempt: int, wanted: _Wanted, fd: int) -> int:
    """Return the latest of the starts asked for, never past the present end."""
    limits = service.settings.limits
    size = logfile.size(fd)
    starts = [min(wanted.offset, size)]
    if wanted.tail is not None:
        lines = min(wanted.tail, limits.tail_lines)
        starts.append(logfile.tail_offset(fd, lines, size, limits.read_block))
    if wanted.since is not None:
        jobs = service.settings.jobs_dir
        starts.append(logfile.since_offset(jobs, job.id, attempt, wanted.since, size))
    return max(starts)


def _moment(text: str) -> int:
    """Return milliseconds since the epoch; raises ApiError (422)."""
    try:
        return int(float(text) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"since: {text!r} is neither an ISO-8601 time nor seconds since the epoch."
        raise ApiError(422, "invalid", message, "jobctl logs --help") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _headers(attempt: int, start: int, end: int) -> dict[str, str]:
    return {
        "X-Log-Attempt": str(attempt),
        "X-Log-Offset": str(start),
        "X-Log-End": str(end),
    }
