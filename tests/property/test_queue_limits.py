"""Concurrency limits: so many jobs of one key at once, and every free place is used."""

from __future__ import annotations

from jobctl.queue import Cause, Finish, Queue, Status
from tests.support.flows import submit
from tests.support.queue_lab import FAILED, OK, Lab

ONE = {"concurrency_key": "db", "concurrency_limit": 1}
TWO = {"concurrency_key": "db", "concurrency_limit": 2}


def limited(lab: Lab, count: int, **fields: object) -> list[str]:
    return [submit(lab, **{**TWO, **fields}) for _ in range(count)]


def claim(lab: Lab, n: int = 9) -> list[tuple[str, int]]:
    return lab.claim(lab.worker("inc-1"), n)


def ids(leases: list[tuple[str, int]]) -> list[str]:
    return [job_id for job_id, _ in leases]


def finish(lab: Lab, *leases: tuple[str, int]) -> None:
    lab.queue.finish("inc-1", [Finish(*lease, OK) for lease in leases])


def test_no_more_than_the_limit_are_claimed(lab: Lab, queue: Queue) -> None:
    jobs = limited(lab, 5)
    free = submit(lab)
    leases = claim(lab)
    # What finds no place does not stand in the way of others.
    assert ids(leases) == [*jobs[:2], free]
    assert queue.get(jobs[2]).status is Status.QUEUED
    assert claim(lab) == []
    finish(lab, leases[0])
    assert ids(claim(lab)) == [jobs[2]]
    assert claim(lab) == []


def test_a_free_place_wakes_a_worker(lab: Lab, queue: Queue) -> None:
    limited(lab, 2, **ONE)
    (lease,) = claim(lab)
    assert not queue.wait_work(["default"], 0.01)
    finish(lab, lease)
    assert queue.wait_work(["default"], 0.01)
    claim(lab, 0)


def test_every_way_off_a_worker_frees_the_place(lab: Lab, queue: Queue) -> None:
    (first,) = limited(lab, 1, **ONE, max_attempts=3)
    (second,) = limited(lab, 1, **ONE)
    (lease,) = claim(lab)
    queue.hand_back("inc-1", [lease], Cause.SCALE_DOWN)
    assert ids(claim(lab)) == [first]
    queue.release("inc-1")
    (lease,) = claim(lab)
    queue.finish("inc-1", [Finish(*lease, FAILED)])
    assert queue.get(first).status is Status.SCHEDULED
    assert ids(claim(lab)) == [second]
    queue.cancel(second)
    lab.make_due(first)
    queue.tick()
    assert ids(claim(lab)) == [first]


def test_parked_jobs_keep_their_order_and_priority(lab: Lab, queue: Queue) -> None:
    held = limited(lab, 1, **ONE)
    low, high = limited(lab, 1, **ONE), limited(lab, 2, **ONE, priority=5)
    last = limited(lab, 1, **ONE)
    order = []
    while leases := claim(lab):
        order += ids(leases)
        finish(lab, *leases)
    assert order == [*high, *held, *low, *last]


def test_a_parked_job_can_be_cancelled(lab: Lab, queue: Queue) -> None:
    held, parked, after = limited(lab, 3, **ONE)
    (lease,) = claim(lab)
    assert claim(lab) == []
    assert queue.cancel(parked).status is Status.CANCELLED
    # There is no place yet, so nobody is woken for one.
    assert not queue.wait_work(["default"], 0.01)
    finish(lab, lease)
    assert ids(claim(lab)) == [after]
    assert lease[0] == held


def test_a_cancelled_job_that_was_let_in_lets_the_next_in(lab: Lab, queue: Queue) -> None:
    _, let_in, after = limited(lab, 3, **ONE)
    (lease,) = claim(lab)
    claim(lab)
    finish(lab, lease)
    queue.cancel(let_in)
    assert ids(claim(lab)) == [after]


def test_limits_hold_across_queues(lab: Lab, queue: Queue) -> None:
    here = limited(lab, 1, **ONE)
    there = limited(lab, 1, **ONE, queue="other")
    worker = lab.worker("inc-1")
    jobs = queue.claim(worker, 9, ["default", "other"]).jobs
    assert [job.id for job in jobs] == here
    finish(lab, (jobs[0].id, jobs[0].attempt))
    jobs = queue.claim(worker, 9, ["default", "other"]).jobs
    assert [job.id for job in jobs] == there


def test_a_paused_queue_does_not_keep_a_place_from_others(lab: Lab, queue: Queue) -> None:
    worker = lab.worker("inc-1")
    limited(lab, 1, **ONE)
    (lease,) = claim(lab)
    paused = limited(lab, 1, **ONE, queue="paused")
    (other,) = limited(lab, 1, **ONE)
    queue.claim(worker, 9, ["paused", "default"])
    queue.pause("paused")
    finish(lab, lease)
    assert ids(claim(lab)) == [other]
    # And when the queue is paused with the job already let in, a tick sees to it.
    queue.resume("paused")
    (third,) = limited(lab, 1, **ONE)
    claim(lab)
    finish(lab, (other, 1))
    assert queue.claim(worker, 0, ["paused"]).jobs == []
    queue.pause("paused")
    queue.tick()
    assert ids(claim(lab)) == [third]
    assert queue.get(paused[0]).status is Status.QUEUED


def test_a_limit_of_each_job_is_kept(lab: Lab, queue: Queue) -> None:
    wide = limited(lab, 2, concurrency_limit=3)
    (narrow,) = limited(lab, 1, **ONE)
    leases = claim(lab)
    assert ids(leases) == wide
    finish(lab, leases[0])
    assert claim(lab) == []
    finish(lab, leases[1])
    assert ids(claim(lab)) == [narrow]


def test_a_claim_parks_a_bounded_number(lab: Lab, queue: Queue) -> None:
    first, *_ = limited(lab, 600, **ONE)
    assert ids(claim(lab, 5)) == [first]
    left = queue.queues()[0].queued
    assert 200 < left < 400
    claim(lab, 5)
    assert queue.queues()[0].queued < left


def test_many_of_a_paused_queue_do_not_stand_in_the_way_for_ever(lab: Lab, queue: Queue) -> None:
    worker = lab.worker("inc-1")
    limited(lab, 1, **ONE)
    (lease,) = claim(lab)
    paused = limited(lab, 10, **ONE, queue="paused")
    (other,) = limited(lab, 1, **ONE)
    assert queue.claim(worker, 20, ["paused", "default"]).jobs == []
    queue.pause("paused")
    finish(lab, lease)
    queue.tick()
    (lease,) = claim(lab)
    assert lease[0] == other
    # They have lost nothing by it.
    finish(lab, lease)
    queue.resume("paused")
    assert [job.id for job in queue.claim(worker, 20, ["paused"]).jobs] == paused[:1]
