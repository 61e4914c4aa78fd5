"""Facts: what Redis knows about why a job stands where it stands."""

from __future__ import annotations

import pytest

from jobctl.queue import Queue, QueueRates, QueueState, Rate, Status, UnknownJob, new_id
from jobctl.queue.explain import Why, explain
from tests.support.flows import end, submit
from tests.support.queue_lab import LEASE, Lab

ONE = {"concurrency_key": "db", "concurrency_limit": 1}


def test_a_queued_job(lab: Lab, queue: Queue) -> None:
    first, second = submit(lab), submit(lab)
    facts = queue.facts(second)
    assert facts.job == queue.get(second)
    assert (facts.ahead, facts.serving, facts.queue_state) == (1, (), QueueState.OPEN)
    assert abs(facts.now_ms - lab.now_ms()) < 60_000
    lab.worker("inc-1")
    queue.pause("default")
    facts = queue.facts(first)
    assert (facts.ahead, facts.serving) == (0, ("worker-1",))
    assert facts.queue_state is QueueState.PAUSED
    queue.drain("worker-1", None)
    assert queue.facts(first).serving == ()
    queue.undrain("worker-1")
    lab.silence("inc-1", 2)
    assert queue.facts(first).serving == ()
    with pytest.raises(UnknownJob):
        queue.facts(new_id())


def test_a_blocked_job(lab: Lab, queue: Queue) -> None:
    parent, over, array = submit(lab), submit(lab), new_id()
    queue.open_array(array, 1)
    job = submit(lab, after=(parent, over, array))
    end(lab, over)
    assert queue.facts(job).parents == {parent: Status.QUEUED, array: None}
    assert queue.facts(job).arrays == {array: (0, 1)}
    queue.cancel_array(array)
    assert queue.facts(job).parents == {}  # cancelled, so it waits for nobody
    queue.cancel_array(array)


def test_a_job_that_waits_for_an_array_knows_how_far_it_is(lab: Lab, queue: Queue) -> None:
    array = new_id()
    first, second, _ = [submit(lab, array=array, array_size=9) for _ in range(3)]
    job = submit(lab, after=(array,))
    end(lab, first)
    queue.cancel(second)
    assert queue.facts(job).arrays == {array: (2, 9)}


def test_a_job_whose_worker_is_silent(lab: Lab, queue: Queue) -> None:
    job, _ = lab.running("inc-1")
    facts = queue.facts(job)
    assert facts.lease == LEASE
    assert facts.silence is not None
    assert facts.silence < LEASE / 2
    lab.silence("inc-1", 0.8)
    facts = queue.facts(job)
    assert facts.silence is not None
    assert facts.silence >= 0.8 * LEASE
    assert facts.lease_left is not None
    assert 0 < facts.lease_left <= LEASE
    assert explain(facts, facts.now_ms).reasons[0].kind is Why.SILENT
    lab.expire("inc-1")
    left = queue.facts(job).lease_left
    assert left is not None
    assert left < 0
    lab.redis.hset(f"{lab.prefix}meta", "grace_until", str(lab.now_ms() + 30_000))
    left = queue.facts(job).lease_left
    assert left is not None
    assert 0 < left <= 30
    lab.end_grace()


def test_a_parked_job(lab: Lab, queue: Queue) -> None:
    held, parked = submit(lab, **ONE), submit(lab, **ONE)
    assert not queue.facts(held).parked
    lab.claim(lab.worker("inc-1"), 2)
    facts = queue.facts(parked)
    assert (facts.parked, facts.holders, facts.ahead) == (True, (held,), 0)


def test_a_job_held_back_by_its_rate(lab: Lab, queue: Queue) -> None:
    queue.configure(lease=LEASE, queues={"default": QueueRates(start=Rate(0.01))})
    _, job = submit(lab), submit(lab)
    assert queue.facts(job).rate_wait is None
    lab.claim(lab.worker("inc-1"), 2)
    wait = queue.facts(job).rate_wait
    assert wait is not None
    assert 99 < wait <= 100
