"""Submitting any number of jobs: portions on their way while Redis takes others in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobctl.queue import JobSpec, QueueClosed, Status, Unavailable, connect, new_id
from tests.support.queue_lab import Lab

PORTION = 500


def specs(count: int, **fields: str) -> list[JobSpec]:
    return [JobSpec(id=new_id(), function="m:f", **fields) for _ in range(count)]  # type: ignore[arg-type]


def test_all_are_in_once_and_in_their_order(lab: Lab) -> None:
    given = specs(2 * PORTION + 7)
    told = [one for some in lab.queue.submit_many(iter(given)) for one in some]
    assert [one.id for one in told] == [spec.id for spec in given]
    assert all(one.created for one in told)
    again = [one for some in lab.queue.submit_many(given) for one in some]
    assert not any(one.created for one in again)
    lab.worker("inc-1")
    claims = lab.queue.claim("inc-1", 100, ["default"])
    assert [job.id for job in claims.jobs] == [spec.id for spec in given[:100]]


def test_only_the_portions_under_way_are_made(lab: Lab) -> None:
    made = 0

    def making() -> Iterator[JobSpec]:
        nonlocal made
        for spec in specs(10 * PORTION):
            made += 1
            yield spec

    portions = lab.queue.submit_many(making())
    assert len(next(portions)) == PORTION
    assert made == 2 * PORTION
    del portions  # given up: its connection, which is owed replies, goes too
    assert lab.queue.counts()[Status.QUEUED] >= PORTION


def test_a_library_that_is_gone_is_loaded_on_the_way(lab: Lab) -> None:
    lab.redis.execute_command("FUNCTION FLUSH")  # type: ignore[no-untyped-call]
    given = specs(3 * PORTION)
    assert sum(len(some) for some in lab.queue.submit_many(given)) == len(given)
    assert lab.queue.counts()[Status.QUEUED] == len(given)


def test_a_refused_portion_ends_it_and_the_rest_may_be_given_again(lab: Lab) -> None:
    lab.queue.drain_queue("shut")
    given = [*specs(PORTION), *specs(1, queue="shut"), *specs(PORTION)]
    portions = lab.queue.submit_many(given)
    assert len(next(portions)) == PORTION
    with pytest.raises(QueueClosed):
        next(portions)
    lab.queue.resume("shut")
    again = [one for some in lab.queue.submit_many(given) for one in some]
    assert [one.created for one in again[:PORTION]] == [False] * PORTION
    assert lab.queue.counts()[Status.QUEUED] == len(given)


def test_no_redis_is_unavailable() -> None:
    queue = connect("", unix_socket_path="/nonexistent/redis.sock")
    with pytest.raises(Unavailable):
        list(queue.submit_many(specs(1)))
