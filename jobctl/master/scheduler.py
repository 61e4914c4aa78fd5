"""Submits the jobs of the schedules when they are due, each tick once whoever else is alive.

What was fired last is in Redis, and firing is one atomic call there: a tick that another master
fired, or this one in an earlier life, is not fired again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import ValidationError

from jobctl.master.errors import from_problems
from jobctl.master.keeper import Keeper
from jobctl.master.settings import JobDefaults, ScheduleRule, Settings, SettingsError
from jobctl.master.specs import SpecIn
from jobctl.master.timetable import Timetable, TimetableError, due
from jobctl.queue import (
    AsyncQueue,
    InvalidSpec,
    JobSpec,
    QueueError,
    RateLimited,
    Unavailable,
)

# The clock may be set, and a machine may sleep: look again at least this often, in seconds.
_LONGEST_REST = 30.0
# A refused job (its queue is draining, Redis is full) is tried again after so many seconds.
_REFUSED_PAUSE = 5.0
# These belong to one single job; a schedule makes a new one each time.
_NOT_SCHEDULED = ("id", "key", "at", "delay", "after", "array")


@dataclass
class Schedule:
    """One schedule and how far it has come; instants are ms since the epoch."""

    name: str
    rule: ScheduleRule
    table: Timetable
    body: SpecIn
    last: int | None = None
    """The latest tick that is settled: fired, or let go. None: not known yet."""
    problem: str = ""
    """Why the last tick could not be fired, "" if it was."""
    _refused_until: int = field(default=0, repr=False)

    def spec(self, defaults: JobDefaults) -> JobSpec:
        """Return the job of a tick, with an id of its own."""
        return self.body.to_spec(defaults)

    def refuse(self, error: QueueError, now: int) -> None:
        """Note why it could not be fired, and when to try again."""
        wait = error.retry_after if isinstance(error, RateLimited) else _REFUSED_PAUSE
        self.problem = str(error)
        self._refused_until = now + round(wait * 1000)

    def wake_at(self, now: int) -> int | None:
        """Return when to look at it next."""
        if self._refused_until > now:
            return self._refused_until
        return self.table.after(now)

    def held_up(self, now: int) -> bool:
        """Whether it was refused a moment ago."""
        return self._refused_until > now


def load(settings: Settings) -> list[Schedule]:
    """Return the schedules of the cluster; raises SettingsError naming one that cannot be."""
    return [_load(name, rule, settings.defaults) for name, rule in settings.schedules.items()]


def _load(name: str, rule: ScheduleRule, defaults: JobDefaults) -> Schedule:
    where = f"schedules.{name}"
    if wrong := sorted(set(rule.job).intersection(_NOT_SCHEDULED)):
        raise SettingsError(f"{where}: the job of a schedule has no {wrong[0]}")
    try:
        table = Timetable(rule.cron, rule.timezone)
        body = SpecIn.model_validate({"name": name, **rule.job})
        schedule = Schedule(name, rule, table, body)
        schedule.spec(defaults)
    except ValidationError as error:
        problem = from_problems(list(error.errors(include_url=False))).message
        raise SettingsError(f"{where}.job: {problem.removesuffix('.')}") from error
    except (TimetableError, InvalidSpec, ValueError) as error:
        raise SettingsError(f"{where}: {str(error).removesuffix('.')}") from error
    return schedule


class Scheduler:
    """Fires the schedules for as long as the master lives."""

    def __init__(
        self,
        queue: AsyncQueue,
        keeper: Keeper,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.schedules = load(settings)
        self._queue = queue
        self._keeper = keeper
        self._defaults = settings.defaults
        self._most = settings.limits.missed_ticks
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Fire for ever; what was missed while Redis was away is made up for, by the policy."""
        while True:
            await self._keeper.steady()
            try:
                await self._catch_up()
                if not self.schedules:
                    return
                while self._keeper.ready:
                    await self._fire_due()
                    await self._sleep(self._rest())
            except QueueError:
                # The keeper says so, and knows when it is over.
                await self._sleep(1.0)

    def _now(self) -> int:
        return round(self._clock() * 1000)

    async def _catch_up(self) -> None:
        """Learn what was fired last. A schedule that is new begins now, which is noted.

        One that is no longer in cluster.yaml is forgotten, or it would make up for all the time
        without it if it came back.
        """
        await self._queue.keep_schedules([schedule.name for schedule in self.schedules])
        fired = await self._queue.schedules()
        for schedule in self.schedules:
            if schedule.name not in fired:
                fired[schedule.name] = self._now()
                await self._queue.fire(schedule.name, fired[schedule.name], None)
            schedule.last = max(fired[schedule.name], schedule.last or 0)

    async def _fire_due(self) -> None:
        now = self._now()
        for schedule in self.schedules:
            if schedule.last is None or schedule.held_up(now):
                continue
            ticks = due(schedule.table, schedule.last, now, schedule.rule.missed, self._most)
            try:
                for tick in ticks:
                    await self._queue.fire(schedule.name, tick, schedule.spec(self._defaults))
                    schedule.last = tick
                schedule.last, schedule.problem = max(schedule.last, now), ""
            except Unavailable:
                raise
            except QueueError as error:
                schedule.refuse(error, now)

    def _rest(self) -> float:
        """Return the seconds until the next tick of any schedule."""
        now = self._now()
        moments = [at for schedule in self.schedules if (at := schedule.wake_at(now)) is not None]
        soonest = min(moments, default=now + 86_400_000)
        return min((soonest - now) / 1000, _LONGEST_REST)
