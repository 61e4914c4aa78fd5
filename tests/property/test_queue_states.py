"""Queues that are paused or draining, and what is told of queues."""

from __future__ import annotations

from typing import Any

import pytest

from jobctl.queue import Queue, QueueClosed, QueueState, Status, WorkerInfo
from tests.support.flows import end, spec, submit
from tests.support.queue_lab import Lab


def test_nothing_is_claimed_from_a_paused_queue(lab: Lab, queue: Queue) -> None:
    before = submit(lab)
    queue.pause("default")
    after = submit(lab)
    worker = lab.worker("inc-1")
    assert lab.claim(worker, 9) == []
    assert not queue.wait_work(["default"], 0.01)
    queue.tick()
    assert not queue.wait_work(["default"], 0.01)
    queue.resume("default")
    assert queue.wait_work(["default"], 0.01)
    assert [job_id for job_id, _ in lab.claim(worker, 9)] == [before, after]


def test_pausing_one_queue_leaves_the_others(lab: Lab, queue: Queue) -> None:
    submit(lab)
    other = submit(lab, queue="other")
    queue.pause("default")
    claims = queue.claim(lab.worker("inc-1"), 9, ["default", "other"])
    assert [job.id for job in claims.jobs] == [other]


def test_a_draining_queue_takes_nothing_in_and_runs_out(lab: Lab, queue: Queue) -> None:
    job = submit(lab)
    queue.drain_queue("default")
    refused = [spec(queue="other"), spec()]
    with pytest.raises(QueueClosed) as error:
        queue.submit(refused)
    assert error.value.queue == "default"
    assert queue.get_many([one.id for one in refused]) == [None, None]
    end(lab, job)
    queue.resume("default")
    queue.submit(refused)


def test_a_retry_goes_into_a_draining_queue(lab: Lab, queue: Queue) -> None:
    job = submit(lab)
    end(lab, job)
    queue.drain_queue("default")
    assert queue.retry(job).status is Status.QUEUED


def test_queues_tell_state_depth_and_age(lab: Lab, queue: Queue) -> None:
    oldest = submit(lab, queue="deep")
    submit(lab, queue="deep", priority=9)
    submit(lab, queue="deep", priority=-9)
    queue.pause("paused")
    queue.register(WorkerInfo("worker-1", "p", "c", "inc-1", 1, ("served", "deep")))
    found = {info.name: info for info in queue.queues()}
    assert list(found) == ["deep", "paused", "served"]
    assert (found["deep"].queued, found["paused"].queued) == (3, 0)
    assert found["deep"].oldest_at == queue.get(oldest).submitted_at
    assert found["served"].oldest_at is None
    assert [info.state for info in found.values()] == [
        QueueState.OPEN,
        QueueState.PAUSED,
        QueueState.OPEN,
    ]


def test_very_many_queues_are_told_in_several_calls(lab: Lab, queue: Queue) -> None:
    names = [f"q{number:04}" for number in range(1200)]
    for at in range(0, 1200, 400):
        queue.submit([spec(queue=name) for name in names[at : at + 400]])
    behind: Any = lab.redis
    behind.config_resetstat()
    found = queue.queues()
    assert [(info.name, info.queued) for info in found] == [(name, 1) for name in names]
    assert all(info.oldest_at for info in found)
    # The names, and then at most 500 of them a call.
    assert behind.info("commandstats")["cmdstat_fcall"]["calls"] == 4


def test_what_is_in_already_may_be_sent_again_to_a_draining_queue(lab: Lab, queue: Queue) -> None:
    job = spec()
    queue.submit([job])
    queue.drain_queue("default")
    assert [done.created for done in queue.submit([job])] == [False]
    with pytest.raises(QueueClosed):
        queue.submit([job, spec()])


def test_a_tick_looks_at_a_bounded_number_of_queues(lab: Lab, queue: Queue) -> None:
    names = [f"q{number}" for number in range(30)]
    queue.submit([spec(queue=name) for name in names])
    wakes = [f"{lab.prefix}wake:{name}" for name in names]
    # As if as many workers had died, each with a token.
    lab.redis.delete(*wakes)
    queue.tick(limit=10)
    assert lab.redis.exists(*wakes) == 10
    while lab.redis.exists(*wakes) != len(wakes):
        queue.tick(limit=10)
