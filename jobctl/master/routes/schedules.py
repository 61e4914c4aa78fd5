"""The schedules of cluster.yaml: when each fired last, and when it will next."""

import time
from typing import Any

from fastapi import APIRouter
from typing_extensions import TypedDict

from jobctl.master.reply import Json
from jobctl.master.scheduler import Schedule
from jobctl.master.service import ServiceDep
from jobctl.master.views import iso

router = APIRouter(tags=["schedules"])


class ScheduleView(TypedDict):
    """A schedule; ``problem`` says why its last tick could not be fired, "" if it was."""

    name: str
    cron: str
    timezone: str
    missed: str
    last_at: str | None
    next_at: str | None
    problem: str
    job: dict[str, Any]


class SchedulesView(TypedDict):
    """All schedules, by name."""

    schedules: list[ScheduleView]


@router.get("/schedules", response_model=SchedulesView)
async def listing(service: ServiceDep) -> Json:
    """List the schedules."""
    fired = await service.queue.schedules()
    found = sorted(service.scheduler.schedules, key=lambda schedule: schedule.name)
    return Json({"schedules": [_view(one, fired.get(one.name)) for one in found]})


def _view(schedule: Schedule, last: int | None) -> ScheduleView:
    return {
        "name": schedule.name,
        "cron": schedule.rule.cron,
        "timezone": schedule.rule.timezone,
        "missed": schedule.rule.missed,
        "last_at": iso(last),
        "next_at": iso(schedule.table.after(time.time_ns() // 1_000_000)),
        "problem": schedule.problem,
        "job": schedule.rule.job,
    }
