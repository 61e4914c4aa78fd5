"""When an array is over, after retries, with some of its jobs deleted, and in a restore."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobctl.queue import AfterPolicy, Keep, Retention, Status, new_id
from tests.property.test_queue_backup import move
from tests.support.flows import end, statuses, submit
from tests.support.leaks import leaks
from tests.support.queue_lab import Lab
from tests.support.redis_server import RedisServer


@pytest.fixture
def other(redis_server: RedisServer) -> Iterator[Lab]:
    """A second cluster."""
    with Lab(redis_server, "restored-arrays") as lab:
        yield lab
        assert leaks(lab.redis, lab.project) == []


def cancelled_array(lab: Lab, size: int = 3) -> tuple[str, list[str]]:
    array = new_id()
    ids = [submit(lab, array=array, array_size=size) for _ in range(size)]
    lab.queue.cancel_array(array)
    assert lab.queue.array(array).over
    return array, ids


def test_a_retried_job_opens_an_array_of_which_some_are_deleted(lab: Lab) -> None:
    array, ids = cancelled_array(lab)
    assert lab.queue.prune(Retention(cancelled=Keep(count=1))) == 2
    lab.queue.retry(ids[-1])
    assert not lab.queue.array(array).over
    end(lab, ids[-1])
    info = lab.queue.array(array)
    assert (info.over, info.succeeded, info.cancelled) == (True, 1, 2)


def test_it_is_restored_open_and_can_end(lab: Lab, other: Lab) -> None:
    array, ids = cancelled_array(lab)
    lab.queue.prune(Retention(cancelled=Keep(count=1)))
    lab.queue.retry(ids[-1])
    move(lab, other)
    assert not other.queue.array(array).over
    end(other, ids[-1])
    info = other.queue.array(array)
    assert (info.over, info.succeeded, info.cancelled) == (True, 1, 2)


def test_in_a_restore_no_array_is_over_before_all_its_jobs_are_there(lab: Lab, other: Lab) -> None:
    array, ids = cancelled_array(lab)
    for job_id in ids[1:]:
        lab.queue.retry(job_id)
    end(lab, ids[1])
    child = submit(lab, after=(array,), after_policy=AfterPolicy.FINISHED)
    move(lab, other)
    assert statuses(other, child) == [Status.BLOCKED]
    end(other, ids[2])
    assert statuses(other, child) == [Status.QUEUED]


def test_nor_is_one_with_more_jobs_than_it_said(lab: Lab, other: Lab) -> None:
    array = new_id()
    ids = [submit(lab, array=array, array_size=2) for _ in range(5)]
    for job_id in ids[:4]:
        end(lab, job_id)
    child = submit(lab, after=(array,))
    move(lab, other)
    assert statuses(other, child) == [Status.BLOCKED]
    end(other, ids[4])
    assert statuses(other, child) == [Status.QUEUED]
