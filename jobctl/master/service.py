"""What every route works with: one object per master, and how a route gets it."""

from typing import Annotated

from fastapi import Depends, Request

from jobctl.master.feed import Feed
from jobctl.master.keeper import Keeper
from jobctl.master.metrics import HttpCounter
from jobctl.master.pruner import Pruner
from jobctl.master.scheduler import Scheduler
from jobctl.master.settings import Settings
from jobctl.queue import AsyncQueue, UnknownJob, is_id


class Service:
    """The queue, those who keep it going, the feed of its events, and this master's settings.

    Raises SettingsError when a schedule cannot be.
    """

    def __init__(self, settings: Settings, queue: AsyncQueue) -> None:
        self.settings = settings
        self.queue = queue
        self.feed = Feed(queue, backlog=settings.limits.stream_backlog)
        self.keeper = Keeper(queue, settings)
        self.pruner = Pruner(queue, self.keeper, settings)
        self.scheduler = Scheduler(queue, self.keeper, settings)
        self.requests = HttpCounter()


# Both are coroutines because FastAPI would run plain functions in a thread, for every request.
async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _job_id(job_id: str) -> str:
    # Also what keeps the id harmless as a part of keys and of paths on the jobs volume.
    if not is_id(job_id):
        raise UnknownJob(job_id)
    return job_id


ServiceDep = Annotated[Service, Depends(_service)]
JobId = Annotated[str, Depends(_job_id)]
