"""The check for leaks itself: what it is there to find, it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.leaks import leaks
from tests.support.queue_lab import Lab
from tests.support.redis_server import RedisServer

Leave = Callable[[Lab, str], object]


@pytest.fixture
def messy(redis_server: RedisServer) -> Iterator[Lab]:
    """A queue after which nobody looks for leaks but the test itself."""
    with Lab(redis_server, "messy") as lab:
        yield lab


LEFT: dict[str, Leave] = {
    "a key of nobody": lambda lab, _job: lab.redis.set(f"{lab.prefix}stray", "1"),
    "a word for no job": lambda lab, _job: lab.redis.set(f"{lab.prefix}key:k", "0" * 26),
    "a job in no queue": lambda lab, job: lab.redis.zrem(f"{lab.prefix}queue:default", job),
    "a job in two places": lambda lab, job: lab.redis.zadd(f"{lab.prefix}due", {job: 1}),
    "an index of no job": lambda lab, _job: lab.redis.zadd(
        f"{lab.prefix}jobs:failed", {"0" * 26: 0}
    ),
    "a job that is in no index": lambda lab, job: lab.redis.zrem(f"{lab.prefix}jobs:queued", job),
    "children of nobody": lambda lab, job: lab.redis.zadd(
        f"{lab.prefix}children:{'0' * 26}", {job: 0}
    ),
    "what a worker holds and has not": lambda lab, job: lab.redis.hset(
        f"{lab.prefix}held:inc-9", job, "1"
    ),
}


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_what_is_left_behind_is_found(messy: Lab, left: Leave) -> None:
    [job] = messy.submit()
    assert leaks(messy.redis, messy.project) == []
    left(messy, job)
    assert leaks(messy.redis, messy.project) != []
