"""Firing schedules: on time, once, by the policy for what was missed, and whatever is refused."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from jobctl.master.keeper import Keeper
from jobctl.master.scheduler import Scheduler
from jobctl.master.settings import ScheduleRule, Settings, SettingsError
from jobctl.queue import AsyncQueue, JobSpec, QueueClosed, QueueError, Submitted, Unavailable

MINUTE = 60_000


def ms(text: str) -> int:
    return round(datetime.fromisoformat(f"2026-05-05T{text}+00:00").timestamp() * 1000)


def settings(**rules: dict[str, Any]) -> Settings:
    return Settings(
        project="p",
        token="t",
        redis_password="r",
        alive_file=Path("/nonexistent"),
        schedules={
            name: ScheduleRule(**{"job": {"argv": ["true"]}, **rule})
            for name, rule in rules.items()
        },
    )


class World:
    """A clock that moves when somebody sleeps, and a Redis that remembers what was fired."""

    def __init__(self, start: str, end: str, **last: str) -> None:
        self.now, self._end = ms(start), ms(end)
        self.last = {name: ms(at) for name, at in last.items()}
        self.fired: list[tuple[str, str]] = []
        self.refusals: list[QueueError] = []
        self.specs: list[JobSpec] = []
        self.over = asyncio.Event()

    def clock(self) -> float:
        return self.now / 1000

    async def sleep(self, seconds: float) -> None:
        self.now += max(1, round(seconds * 1000))
        if self.now > self._end:
            self.over.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)

    async def steady(self) -> None:
        pass

    ready = True

    async def schedules(self) -> dict[str, int]:
        return dict(self.last)

    async def keep_schedules(self, names: list[str]) -> None:
        self.last = {name: at for name, at in self.last.items() if name in names}

    async def fire(self, name: str, tick: int, spec: JobSpec | None) -> Submitted | None:
        if spec and self.refusals:
            raise self.refusals.pop(0)
        if tick <= self.last.get(name, 0):
            return None
        self.last[name] = tick
        if spec is None:
            return None
        self.specs.append(spec)
        self.fired.append((name, f"{datetime.fromtimestamp(tick / 1000, UTC):%H:%M}"))
        return Submitted(spec.id, created=True)


def play(world: World, said: Settings) -> Scheduler:
    async def run() -> Scheduler:
        scheduler = Scheduler(
            cast("AsyncQueue", world),
            cast("Keeper", world),
            said,
            clock=world.clock,
            sleep=world.sleep,
        )
        running = asyncio.create_task(scheduler.run())
        await world.over.wait()
        running.cancel()
        return scheduler

    return asyncio.run(run())


def test_each_schedule_fires_at_its_ticks() -> None:
    world = World("12:00:30", "12:10:30")
    play(world, settings(often={"cron": "*/4 * * * *"}, once={"cron": "5 12 * * *"}))
    assert world.fired == [("often", "12:04"), ("once", "12:05"), ("often", "12:08")]
    assert len({spec.id for spec in world.specs}) == 3
    assert [spec.name for spec in world.specs] == ["often", "once", "often"]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("latest", ["11:00", "12:00"]),
        ("skip", ["12:00"]),
        ("all", ["09:00", "10:00", "11:00", "12:00"]),
    ],
)
def test_what_was_missed_is_made_up_for_by_the_policy(missed: str, expected: list[str]) -> None:
    world = World("11:30:00", "12:30:00", hourly="08:00:00")
    play(world, settings(hourly={"cron": "0 * * * *", "missed": missed}))
    assert [at for _, at in world.fired] == expected


def test_a_new_schedule_makes_up_for_nothing() -> None:
    world = World("11:30:00", "12:30:00")
    play(world, settings(hourly={"cron": "0 * * * *", "missed": "all"}))
    assert world.fired == [("hourly", "12:00")]


def test_a_new_schedule_is_noted_so_that_its_first_tick_can_be_missed() -> None:
    world = World("11:30:00", "11:31:00")
    said = settings(hourly={"cron": "0 * * * *"})
    play(world, said)
    later = World("14:10:00", "14:11:00")
    later.last = world.last
    play(later, said)
    assert later.fired == [("hourly", "14:00")]


def test_a_schedule_that_was_taken_away_for_a_while_makes_up_for_nothing() -> None:
    world = World("11:30:00", "12:30:00", hourly="08:00:00")
    play(world, settings(other={"cron": "0 0 * * *"}))
    assert world.last.keys() == {"other"}
    later = World("13:30:00", "14:30:00")
    later.last = world.last
    play(later, settings(hourly={"cron": "0 * * * *", "missed": "all"}))
    assert later.fired == [("hourly", "14:00")]


def test_without_any_schedule_all_are_forgotten() -> None:
    world = World("11:30:00", "12:30:00", hourly="08:00:00")
    asyncio.run(Scheduler(cast("AsyncQueue", world), cast("Keeper", world), settings()).run())
    assert world.last == {}


def test_a_tick_that_another_master_fired_is_not_fired_again() -> None:
    world = World("11:30:00", "12:30:00", hourly="11:00:00")
    world.last["hourly"] = ms("12:00:00")
    play(world, settings(hourly={"cron": "0 * * * *"}))
    assert world.fired == []


def test_a_refused_tick_is_tried_again_and_holds_up_no_other() -> None:
    world = World("11:59:59", "12:00:30")
    world.refusals = [QueueClosed("q"), QueueClosed("q")]
    scheduler = play(world, settings(one={"cron": "0 * * * *"}, two={"cron": "0 * * * *"}))
    assert sorted(world.fired) == [("one", "12:00"), ("two", "12:00")]
    assert [schedule.problem for schedule in scheduler.schedules] == ["", ""]


def test_while_it_is_refused_the_reason_is_kept() -> None:
    world = World("11:59:59", "12:00:02")
    world.refusals = [QueueClosed("q")]
    [schedule] = play(world, settings(one={"cron": "0 * * * *"})).schedules
    assert "queue q is draining" in schedule.problem


def test_what_redis_missed_is_fired_when_it_is_back() -> None:
    world = World("11:59:59", "12:00:30")
    world.refusals = [Unavailable("gone")] * 3
    play(world, settings(one={"cron": "0 * * * *"}))
    assert world.fired == [("one", "12:00")]


def test_a_redis_that_is_away_is_not_the_schedules_problem() -> None:
    world = World("11:59:59", "12:00:02")
    world.refusals = [Unavailable("gone")] * 9
    [schedule] = play(world, settings(one={"cron": "0 * * * *"})).schedules
    assert (schedule.problem, world.fired) == ("", [])


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"cron": "0 25 * * *"}, "schedules.bad: '0 25 [*] [*] [*]' is not a cron expression"),
        ({"cron": "0 * * * *", "timezone": "Mars"}, "schedules.bad: 'Mars' is not a time zone"),
        ({"cron": "0 * * * *", "job": {"argv": ["a"], "key": "k"}}, "schedule has no key"),
        ({"cron": "0 * * * *", "job": {"queue": "q"}}, "schedules.bad.job: give argv"),
        ({"cron": "0 * * * *", "job": {"argv": ["a"], "queue": "no name"}}, "no queue name"),
    ],
)
def test_a_schedule_that_cannot_be_is_named_at_the_start(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        play(World("11:00:00", "11:00:01"), settings(bad=rule))
