"""The feed, the keeper and the stream of events, over a queue that says what a test wants."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jobctl.client.sse import parse
from jobctl.master.feed import Feed
from jobctl.master.follow import Position, follow
from jobctl.master.keeper import Keeper
from jobctl.master.routes.events import _stream
from jobctl.master.service import Service
from jobctl.master.settings import Limits, QueueRules, RateRule, Settings
from jobctl.queue import Event, QueueRates, Rate, Tick, Transitions, Unavailable, new_id
from tests.support.said_queue import SaidQueue, until_silent

MINE, OTHER = new_id(), new_id()


def event(number: int, job: str = OTHER) -> Event:
    return Event(f"{number}-0", number, Transitions({"- queued - -": f"{job}:0"}))


def settings(folder: Path = Path("/nonexistent"), **limits: Any) -> Settings:
    return Settings(
        project="p",
        token="t",
        redis_password="r",
        alive_file=folder / "alive",
        tick_interval=0.001,
        limits=Limits(**limits),
    )


def test_the_feed_wakes_only_those_whose_job_it_is() -> None:
    async def run() -> None:
        queue = SaidQueue(events=[[], [event(9, MINE)]])
        feed = Feed(queue.as_queue())
        with feed.watch(MINE) as mine, feed.watch(OTHER) as other:
            await until_silent(queue, feed.run())
            assert feed.position == "9-0"
            assert await mine.wait(0)
            assert not await mine.wait(0)
            assert not await other.wait(0)
        assert not feed._watches

    asyncio.run(run())


def test_the_feed_lets_everybody_look_again_after_an_interruption() -> None:
    async def run() -> None:
        queue = SaidQueue(events=[[], Unavailable("gone"), Unavailable("gone"), []])
        feed = Feed(queue.as_queue())
        with feed.watch(MINE) as mine:
            await until_silent(queue, feed.run())
            assert await mine.wait(0)

    asyncio.run(run())


def test_a_follower_of_events_gets_each_once_in_order() -> None:
    async def run() -> list[str]:
        queue = SaidQueue(events=[[event(3), event(4)], [event(5), event(6)]])
        service = Service(settings(stream_heartbeat=60.0), queue.as_queue())
        service.feed.position = "5-0"
        service.feed._current.set()
        stream = _stream(service, "2-0")
        pieces = [await anext(stream), await anext(stream)]
        # Both come live, too, while the follower is still reading what it had missed.
        service.feed._deliver(event(6))
        service.feed._deliver(event(7))
        service.feed.close()
        pieces += [piece async for piece in stream]
        return [read.id for read in parse(pieces)]

    assert asyncio.run(run()) == ["2-0", "3-0", "4-0", "5-0", "6-0", "7-0"]


def test_streams_that_cannot_begin_end_quietly() -> None:
    async def run() -> list[str]:
        queue = SaidQueue(events=[Unavailable("gone")], get=[Unavailable("gone")])
        service = Service(settings(), queue.as_queue())
        service.feed.position = "5-0"
        service.feed._current.set()
        pieces = [piece async for piece in _stream(service, "2-0")]
        pieces += [piece async for piece in follow(service, "job", Position(1, 0))]
        return [read.name for read in parse(pieces)]

    assert asyncio.run(run()) == ["open"]


def test_while_nobody_listens_the_feed_rests_and_one_who_comes_misses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobctl.master.feed._UNHEARD", 3600.0)

    async def run() -> None:
        queue = SaidQueue(events=[[], [event(9)], [event(10, MINE)]])
        feed = Feed(queue.as_queue())
        reading = asyncio.create_task(feed.run())
        while feed.position != "9-0":
            await asyncio.sleep(0)
        await feed.current()
        assert feed.position == "10-0"
        # Who waits for all to be read must not wait for something to happen.
        assert [block for _, block in queue.given[:3]] == [0, 5.0, 0]
        reading.cancel()

    asyncio.run(run())


def test_a_follower_that_does_not_read_is_cut_off() -> None:
    async def run() -> list[int]:
        feed = Feed(SaidQueue().as_queue(), backlog=3)
        with feed.subscribe() as subscription:
            for number in range(1, 9):
                feed._deliver(event(number))
            seen = []
            while (one := await subscription.next(1)) is not None:
                seen.append(one.at_ms)
        return seen

    assert asyncio.run(run()) == [1, 2, 3]


def test_the_keeper_sets_redis_up_again_after_every_interruption(tmp_path: Path) -> None:
    async def run() -> list[str]:
        queue = SaidQueue(
            ensure_library=[Unavailable("not yet"), None, None],
            migrate=[0, 0],
            configure=[None, None],
            tick=[Tick(500), Tick(500), Tick(3, 0.0), Unavailable("gone"), Tick(0)],
        )
        keeper = Keeper(queue.as_queue(), settings(tmp_path))
        await until_silent(queue, keeper.run())
        assert keeper.ready
        return queue.calls

    setup = ["ensure_library", "migrate", "configure"]
    ticks = ["tick"] * 4
    assert asyncio.run(run()) == ["ensure_library", *setup, *ticks, *setup, "tick", "tick"]


def test_the_keeper_tells_the_queue_all_rates(tmp_path: Path) -> None:
    async def run() -> tuple[Any, ...]:
        queue = SaidQueue(ensure_library=[None], migrate=[0], configure=[None])
        rules = QueueRules(start=RateRule(per_second=2.0), submit=RateRule(per_second=3, burst=9))
        said = settings(tmp_path).model_copy(
            update={"queues": {"q": rules}, "client_rate": RateRule(per_second=5.0, burst=6)}
        )
        await until_silent(queue, Keeper(queue.as_queue(), said).run())
        return queue.given[2]

    rates = {"q": QueueRates(start=Rate(2.0, 1), submit=Rate(3.0, 9))}
    assert asyncio.run(run()) == (10.0, rates, Rate(5.0, 6))


def test_the_keeper_comes_back_when_the_next_job_is_due(tmp_path: Path) -> None:
    async def run() -> list[str]:
        # An hour between ticks: only what is due can bring it back.
        queue = SaidQueue(
            ensure_library=[None], migrate=[0], configure=[None], tick=[Tick(1, 0.001), Tick(1)]
        )
        said = settings(tmp_path).model_copy(update={"tick_interval": 3600.0, "lease": 36000.0})
        keeper = Keeper(queue.as_queue(), said)
        running = asyncio.create_task(keeper.run())
        while queue.calls.count("tick") < 2:
            await asyncio.sleep(0)
        # Nothing is due now, until a job is submitted that waits for its time.
        keeper.stir()
        await queue.done.wait()
        running.cancel()
        return queue.calls[3:]

    assert asyncio.run(run()) == ["tick"] * 3


def test_the_keeper_is_not_ready_while_redis_is_away(tmp_path: Path) -> None:
    async def run() -> None:
        queue = SaidQueue(
            ensure_library=[None], migrate=[0], configure=[None], tick=[Unavailable("gone")]
        )
        keeper = Keeper(queue.as_queue(), settings(tmp_path))
        await until_silent(queue, keeper.run())
        assert (keeper.ready, keeper.reason) == (False, "gone")

    asyncio.run(run())


def test_the_health_file_is_touched_again_and_again(tmp_path: Path) -> None:
    async def run() -> None:
        keeper = Keeper(SaidQueue().as_queue(), settings(tmp_path))
        breathing = asyncio.create_task(keeper.breathe())
        alive = tmp_path / "alive"
        for _ in range(2):
            async with asyncio.timeout(30):
                while not alive.exists():
                    await asyncio.sleep(0)
            alive.unlink()
        breathing.cancel()

    asyncio.run(run())
