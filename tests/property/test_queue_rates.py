"""Rates: so many starts a second per queue, so many submits per queue and per client.

Time does not pass here: a bucket's clock is moved instead.
"""

from __future__ import annotations

import pytest

from jobctl.queue import Finish, Queue, QueueRates, Rate, RateLimited
from tests.support.flows import spec, submit
from tests.support.queue_lab import LEASE, OK, Lab

SLOW = Rate(0.001, burst=3)
"""Three at once, then one in 1,000 seconds."""


@pytest.fixture
def rated(lab: Lab) -> Lab:
    rates = {
        "started": QueueRates(start=SLOW),
        "taken": QueueRates(submit=SLOW),
    }
    lab.queue.configure(lease=LEASE, queues=rates, client_rate=SLOW)
    return lab


def let_pass(lab: Lab, bucket: str, seconds: float) -> None:
    """As if that much time had passed for a bucket."""
    key = f"{lab.prefix}bucket:{bucket}"
    at = float(lab.redis.hget(key, "at") or 0)  # type: ignore[arg-type]
    lab.redis.hset(key, "at", str(at - seconds * 1000))


def claim(lab: Lab, n: int = 9) -> tuple[int, float | None]:
    claims = lab.queue.claim(lab.worker("inc-1"), n, ["started"])
    return len(claims.jobs), claims.next_due


def test_starts_are_held_back_and_the_worker_is_told_until_when(rated: Lab, queue: Queue) -> None:
    for _ in range(5):
        submit(rated, queue="started")
    got, due = claim(rated)
    assert got == 3
    assert due is not None
    assert 990 < due <= 1000
    got, due = claim(rated)
    assert got == 0
    let_pass(rated, "start:started", 1000)
    assert claim(rated)[0] == 1
    let_pass(rated, "start:started", 1_000_000)
    assert claim(rated) == (1, None)


def test_what_is_not_used_is_saved_up_to_the_burst_only(rated: Lab, queue: Queue) -> None:
    for _ in range(6):
        submit(rated, queue="started")
    assert claim(rated, 1)[0] == 1
    let_pass(rated, "start:started", 1_000_000)
    assert claim(rated)[0] == 3


def test_a_held_back_queue_wakes_nobody_until_a_tick_says_so(rated: Lab, queue: Queue) -> None:
    for _ in range(4):
        submit(rated, queue="started")
    assert claim(rated)[0] == 3
    assert not queue.wait_work(["started"], 0.01)
    due = queue.tick().next_due
    assert due is not None
    assert 990 < due <= 1000
    let_pass(rated, "start:started", 1000)
    queue.tick()
    assert queue.wait_work(["started"], 0.01)
    assert claim(rated)[0] == 1


def test_a_finish_that_claims_keeps_the_rate(rated: Lab, queue: Queue) -> None:
    for _ in range(5):
        submit(rated, queue="started")
    worker = rated.worker("inc-1")
    jobs = queue.claim(worker, 2, ["started"]).jobs
    done = [Finish(job.id, job.attempt, OK) for job in jobs]
    _, claims = queue.finish(worker, done, room=2, queues=["started"])
    assert len(claims.jobs) == 1
    assert claims.next_due is not None


def test_jobs_that_were_not_there_cost_no_starts(rated: Lab, queue: Queue) -> None:
    submit(rated, queue="started")
    assert claim(rated, 3)[0] == 1
    for _ in range(3):
        submit(rated, queue="started")
    assert claim(rated, 3)[0] == 2


def test_submits_are_refused_whole_and_told_when_to_come_again(rated: Lab, queue: Queue) -> None:
    queue.submit([spec(queue="taken"), spec(queue="taken")])
    refused = [spec(queue="taken"), spec(queue="taken"), spec()]
    with pytest.raises(RateLimited) as error:
        queue.submit(refused)
    assert 990 < error.value.retry_after <= 1000
    assert queue.get_many([job.id for job in refused]) == [None] * 3
    let_pass(rated, "submit:taken", error.value.retry_after)
    queue.submit(refused)


def test_a_refused_submit_costs_nothing(rated: Lab, queue: Queue) -> None:
    queue.submit([spec(queue="taken") for _ in range(3)])
    with pytest.raises(RateLimited):
        queue.submit([spec(queue="taken")], client="somebody")
    queue.submit([spec() for _ in range(3)], client="somebody")


def test_each_client_has_a_rate_and_the_nameless_none(rated: Lab, queue: Queue) -> None:
    queue.submit([spec() for _ in range(3)], client="a")
    with pytest.raises(RateLimited):
        queue.submit([spec()], client="a")
    queue.submit([spec()], client="b")
    queue.submit([spec() for _ in range(100)])


def test_a_batch_larger_than_the_burst_is_owed(rated: Lab, queue: Queue) -> None:
    queue.submit([spec() for _ in range(10)], client="a")
    with pytest.raises(RateLimited) as error:
        queue.submit([spec()], client="a")
    assert 7990 < error.value.retry_after <= 8000


def test_rates_that_are_taken_away_are_gone(rated: Lab, queue: Queue) -> None:
    queue.submit([spec(queue="taken") for _ in range(3)])
    queue.configure(lease=LEASE)
    queue.submit([spec(queue="taken") for _ in range(3)])
    assert {q.name: q.submit_rate for q in queue.queues()} == {"taken": None}


def test_queues_tell_their_rates(rated: Lab, queue: Queue) -> None:
    rates = {q.name: (q.start_rate, q.submit_rate) for q in queue.queues()}
    assert rates == {"started": (SLOW, None), "taken": (None, SLOW)}


def test_a_clock_that_was_set_back_closes_no_queue(rated: Lab, queue: Queue) -> None:
    for _ in range(5):
        submit(rated, queue="started")
    assert claim(rated)[0] == 3
    let_pass(rated, "start:started", -3600)
    assert claim(rated)[0] == 2


def test_what_is_in_already_is_not_refused_when_it_is_sent_again(rated: Lab, queue: Queue) -> None:
    jobs = [spec(queue="taken") for _ in range(3)]
    queue.submit(jobs, client="a")
    assert [done.created for done in queue.submit(jobs, client="a")] == [False] * 3
    with pytest.raises(RateLimited):
        queue.submit([*jobs, spec(queue="taken")], client="a")
