"""The feed, the keeper and the stream of events, over a queue that says what a test wants."""

import asyncio
from pathlib import Path
from typing import Any, cast

from jobctl.client.sse import parse
from jobctl.master.feed import Feed
from jobctl.master.follow import Position, follow
from jobctl.master.keeper import Keeper
from jobctl.master.models import SpecIn
from jobctl.master.routes.events import _stream
from jobctl.master.service import Service
from jobctl.master.settings import BackoffDefaults, JobDefaults, Limits, Settings
from jobctl.queue import AsyncQueue, Event, Status, Transition, Unavailable


class SaidQueue:
    """Answers each call with the next thing it was told; then waits for ever."""

    def __init__(self, **answers: list[Any]) -> None:
        self.calls: list[str] = []
        self.done = asyncio.Event()
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **_options: Any) -> Any:
            self.calls.append(name)
            if not self._answers.get(name):
                self.done.set()
                await asyncio.Event().wait()
            answer = self._answers[name].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def as_queue(self) -> AsyncQueue:
        return cast("AsyncQueue", self)


def event(number: int, job: str = "job") -> Event:
    return Event(f"{number}-0", number, (Transition(job, None, Status.QUEUED, 0),))


def settings(folder: Path = Path("/nonexistent"), **limits: Any) -> Settings:
    return Settings(
        project="p",
        token="t",
        redis_password="r",
        alive_file=folder / "alive",
        tick_interval=0.001,
        limits=Limits(**limits),
    )


async def until_silent(queue: SaidQueue, loop: Any) -> None:
    """Run one of the master's loops until the queue has nothing more to say."""
    task = asyncio.create_task(loop)
    await queue.done.wait()
    task.cancel()
    await asyncio.wait([task])


def test_the_feed_wakes_only_those_whose_job_it_is() -> None:
    async def run() -> None:
        queue = SaidQueue(events=[[], [event(9, "mine")]])
        feed = Feed(queue.as_queue())
        with feed.watch("mine") as mine, feed.watch("other") as other:
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
        with feed.watch("mine") as mine:
            await until_silent(queue, feed.run())
            assert await mine.wait(0)

    asyncio.run(run())


def test_a_follower_of_events_gets_each_once_in_order() -> None:
    async def run() -> list[str]:
        queue = SaidQueue(events=[[event(3), event(4)], [event(5), event(6)]])
        service = Service(settings(stream_heartbeat=60.0), queue.as_queue())
        service.feed.position = "5-0"
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
        pieces = [piece async for piece in _stream(service, "2-0")]
        pieces += [piece async for piece in follow(service, "job", Position(1, 0))]
        return [read.name for read in parse(pieces)]

    assert asyncio.run(run()) == ["open"]


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
            configure=[None, None],
            tick=[500, 500, 3, Unavailable("gone"), 0],
        )
        keeper = Keeper(queue.as_queue(), settings(tmp_path))
        await until_silent(queue, keeper.run())
        assert keeper.ready
        return queue.calls

    setup = ["ensure_library", "configure"]
    ticks = ["tick"] * 4
    assert asyncio.run(run()) == ["ensure_library", *setup, *ticks, *setup, "tick", "tick"]


def test_the_keeper_is_not_ready_while_redis_is_away(tmp_path: Path) -> None:
    async def run() -> None:
        queue = SaidQueue(ensure_library=[None], configure=[None], tick=[Unavailable("gone")])
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


def test_defaults_fill_in_what_a_spec_leaves_out() -> None:
    defaults = JobDefaults(
        max_attempts=4, timeout=30.0, grace=2.0, backoff=BackoffDefaults(base=3.0, cap=9.0)
    )
    plain = SpecIn.model_validate({"argv": ["a"]}).to_spec(defaults)
    assert (plain.max_attempts, plain.timeout, plain.grace) == (4, 30.0, 2.0)
    assert (plain.backoff.base, plain.backoff.cap, plain.backoff.jitter) == (3.0, 9.0, 0.2)
    said = {"argv": ["a"], "timeout": None, "grace": 0, "backoff": {"base": 0}, "max_attempts": 1}
    own = SpecIn.model_validate(said).to_spec(defaults)
    assert (own.max_attempts, own.timeout, own.grace) == (1, None, 0.0)
    assert (own.backoff.base, own.backoff.cap) == (0.0, 9.0)
