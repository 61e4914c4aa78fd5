"""Putting the master together."""

import asyncio
import os
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

import jobctl
from jobctl.master import errors
from jobctl.master.auth import BearerAuth
from jobctl.master.body import BodyCap
from jobctl.master.metrics import CountRequests
from jobctl.master.preparing import prepare
from jobctl.master.routes import (
    arrays,
    artifacts,
    backup,
    events,
    health,
    jobs,
    logs,
    queues,
    schedules,
    submit,
    workers,
)
from jobctl.master.service import Service
from jobctl.master.settings import Settings
from jobctl.master.specs import documented
from jobctl.queue import AsyncQueue

# What a master cannot do without: if one of its loops fails on a bug, it ends and is restarted.
_BROKEN = 70

# A topic is made ready when the first request comes by it on the way to its own: `jobctl up` and
# whoever submits then wait for little.
_TOPICS = [health, workers, submit, jobs, logs, artifacts, arrays, queues, schedules]
_TOPICS += [events, backup]

_FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": errors.ErrorBody, "description": "Refused, with one sentence why."},
    "5XX": {"model": errors.ErrorBody, "description": "Not possible just now."},
    # Named so that FastAPI does not describe its own form of this error.
    422: {"model": errors.ErrorBody, "description": "The request breaks a rule."},
}


class _Master(FastAPI):
    """Adds to its document what POST /jobs reads by itself, past FastAPI."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document["components"]["schemas"].update(documented())
        return document


def create_app(settings: Settings, queue: AsyncQueue) -> FastAPI:
    """Return the ASGI app; it uses ``queue`` but does not close it.

    ``app.state.service`` is the `Service`; close its feed to end all streams before a shutdown.
    """
    service = Service(settings, queue)

    @asynccontextmanager
    async def lifespan(serving: FastAPI) -> AsyncIterator[None]:
        loops = [
            asyncio.create_task(service.keeper.run()),
            asyncio.create_task(service.keeper.breathe()),
            asyncio.create_task(service.feed.run()),
            asyncio.create_task(service.pruner.run()),
            asyncio.create_task(service.scheduler.run()),
            asyncio.create_task(prepare(serving.routes)),
        ]
        for loop in loops:
            loop.add_done_callback(_end_loudly)
        yield
        for loop in loops:
            await _stop(loop)

    app = _Master(
        title="jobctl master",
        version=jobctl.__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=_FAILURES,
        middleware=[
            Middleware(CountRequests, service.requests),
            Middleware(BearerAuth, settings.token),
            Middleware(BodyCap, settings.limits.body_bytes),
        ],
    )
    app.state.service = service
    errors.install(app)
    for topic in _TOPICS:
        app.include_router(topic.router)
    return app


async def _stop(loop: asyncio.Task[None]) -> None:
    # Python 3.11's wait_for, which the Redis client sends with, loses a cancellation that comes
    # together with its result: so once may not be enough.
    while not loop.done():
        loop.cancel()
        await asyncio.wait([loop], timeout=0.05)


def _end_loudly(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled() and (error := loop.exception()):
        traceback.print_exception(error)
        os._exit(_BROKEN)
