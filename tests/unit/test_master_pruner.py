"""Deleting ended jobs: in bounded batches, with rests, and again after Redis was away."""

import asyncio
from pathlib import Path
from typing import Any

from jobctl.master.keeper import Keeper
from jobctl.master.pruner import Pruner
from jobctl.master.settings import KeepRule, Limits, RetentionRules, Settings
from jobctl.queue import Keep, Retention, Tick, Unavailable
from tests.support.said_queue import SaidQueue, until_silent


def settings(rules: RetentionRules, interval: float = 0.001) -> Settings:
    return Settings(
        project="p",
        token="t",
        redis_password="r",
        alive_file=Path("/nonexistent"),
        retention=rules,
        limits=Limits(prune_batch=10, prune_interval=interval),
    )


def calls(answers: list[int | Exception], interval: float) -> list[tuple[Any, ...]]:
    """What is asked of the queue until it has given all these answers, and once more."""

    async def run() -> list[tuple[Any, ...]]:
        queue = SaidQueue(prune=list(answers))
        kept = SaidQueue(ensure_library=[None], migrate=[0], configure=[None], tick=[Tick(0)])
        said = settings(RetentionRules(failed=KeepRule(age=5.0, count=7)), interval)
        keeper = Keeper(kept.as_queue(), said)
        keeping = asyncio.create_task(keeper.run())
        await until_silent(queue, Pruner(queue.as_queue(), keeper, said).run())
        keeping.cancel()
        return queue.given

    return asyncio.run(run())


RULES = Retention(failed=Keep(age=5.0, count=7))


def test_batches_go_on_while_they_are_full() -> None:
    # An hour between looks: only full batches lead to the next at once.
    assert calls([10, 10, 10], interval=3600.0) == [(RULES, 10)] * 4


def test_looking_goes_on_after_a_rest_and_after_an_interruption() -> None:
    assert calls([3, Unavailable("gone"), 0], interval=0.001) == [(RULES, 10)] * 4


def test_without_rules_nothing_is_looked_for() -> None:
    queue = SaidQueue()
    said = settings(RetentionRules())
    asyncio.run(Pruner(queue.as_queue(), Keeper(queue.as_queue(), said), said).run())
    assert queue.calls == []
