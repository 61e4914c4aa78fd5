"""Jobs submitted as one: how an array stands, when it is over, when its rest is cancelled."""

from __future__ import annotations

import pytest

from jobctl.queue import (
    AfterPolicy,
    InvalidSpec,
    JobSpec,
    Queue,
    Status,
    UnknownJob,
    new_id,
)
from tests.support.flows import end, fail, get, spec, statuses, submit, tick_until_still
from tests.support.queue_lab import Lab


def members(array: str, size: int, **fields: object) -> list[JobSpec]:
    return [spec(array=array, array_index=i, array_size=size, **fields) for i in range(size)]


def array_of(lab: Lab, size: int, **fields: object) -> tuple[str, list[str]]:
    """Submit an array of that size; its id and its jobs'."""
    array = new_id()
    return array, [done.id for done in lab.queue.submit(members(array, size, **fields))]


def test_an_array_counts_how_its_jobs_ended(lab: Lab, queue: Queue) -> None:
    array, (good, bad, gone) = array_of(lab, 3)
    end(lab, good)
    fail(lab, bad)
    info = queue.array(array)
    assert (info.size, info.submitted, info.succeeded, info.failed) == (3, 3, 1, 1)
    assert not info.over
    queue.cancel(gone)
    info = queue.array(array)
    assert (info.cancelled, info.over, info.max_fails) == (1, True, None)
    with pytest.raises(UnknownJob):
        queue.array(new_id())


def test_an_array_as_a_parent(lab: Lab, queue: Queue) -> None:
    array, jobs = array_of(lab, 2)
    callback = submit(lab, after=(array,))
    end(lab, jobs[0])
    assert statuses(lab, callback) == [Status.BLOCKED]
    end(lab, jobs[1])
    assert statuses(lab, callback) == [Status.QUEUED]
    assert statuses(lab, submit(lab, after=(array,))) == [Status.QUEUED]


def test_one_failure_fails_an_array_that_allows_none(lab: Lab, queue: Queue) -> None:
    array, jobs = array_of(lab, 2)
    callback = submit(lab, after=(array,))
    anyway = submit(lab, after=(array,), after_policy=AfterPolicy.FINISHED)
    fail(lab, jobs[0])
    assert statuses(lab, callback, jobs[1]) == [Status.BLOCKED, Status.QUEUED]
    end(lab, jobs[1])
    assert statuses(lab, callback, anyway) == [Status.CANCELLED, Status.QUEUED]
    assert queue.get(callback).reason == f"its parent {array} failed"
    assert statuses(lab, submit(lab, after=(array,))) == [Status.CANCELLED]


def test_up_to_max_fails_an_array_succeeds(lab: Lab, queue: Queue) -> None:
    array, jobs = array_of(lab, 3, array_max_fails=1)
    callback = submit(lab, after=(array,))
    fail(lab, jobs[0])
    end(lab, jobs[1])
    end(lab, jobs[2])
    assert statuses(lab, callback) == [Status.QUEUED]


def test_more_failures_than_allowed_cancel_the_rest(lab: Lab, queue: Queue) -> None:
    array, jobs = array_of(lab, 5, array_max_fails=1)
    callback = submit(lab, after=(array,))
    worker = lab.worker("inc-1")
    running = lab.claim(worker)
    assert running[0][0] == jobs[0]
    queue.start(worker, running)
    fail(lab, jobs[1])
    assert statuses(lab, jobs[4]) == [Status.QUEUED]
    fail(lab, jobs[2])
    rest = get(lab, *jobs[3:])
    assert [job.status for job in rest] == [Status.CANCELLED] * 2
    assert {job.reason for job in rest} == {"more than 1 of its array failed"}
    # What runs is told, and the array is over when it has ended.
    assert queue.get(jobs[0]).cancelling
    assert not queue.array(array).over
    queue.release(worker)
    assert statuses(lab, jobs[0], callback) == [Status.CANCELLED, Status.CANCELLED]


def test_cancelling_an_array_is_done_in_batches(lab: Lab, queue: Queue) -> None:
    array, jobs = array_of(lab, 250)
    queue.cancel_array(array)
    assert queue.counts()[Status.CANCELLED] == 100
    assert queue.tick(100).next_due == 0
    tick_until_still(lab)
    assert queue.counts()[Status.CANCELLED] == 250
    assert queue.array(array).over
    assert queue.get(jobs[0]).reason == "its array was cancelled"
    queue.cancel_array(array)  # once more does nothing
    assert queue.tick().moved == 0
    with pytest.raises(UnknownJob):
        queue.cancel_array(new_id())


def test_a_cancelled_array_takes_late_jobs_in_as_cancelled(lab: Lab, queue: Queue) -> None:
    array = new_id()
    early, *late = members(array, 3)
    queue.submit([early])
    callback = submit(lab, after=(array,))
    queue.cancel_array(array)
    assert statuses(lab, early.id, callback) == [Status.CANCELLED, Status.CANCELLED]
    assert queue.array(array).over
    assert [done.created for done in queue.submit(late)] == [True, True]
    assert statuses(lab, *(job.id for job in late)) == [Status.CANCELLED] * 2
    info = queue.array(array)
    assert (info.cancelled, info.submitted, info.over) == (3, 3, True)


def test_an_array_may_be_opened_before_its_jobs_come(lab: Lab, queue: Queue) -> None:
    array = new_id()
    queue.open_array(array, 2, max_fails=1)
    queue.open_array(array, 2, max_fails=1)
    callback = submit(lab, after=(array,))
    job = submit(lab, array=array, array_index=0)
    end(lab, job)
    assert statuses(lab, callback) == [Status.BLOCKED]
    fail(lab, submit(lab, array=array, array_index=1))
    assert statuses(lab, callback) == [Status.QUEUED]
    info = queue.array(array)
    assert (info.size, info.max_fails) == (2, 1)


def test_a_job_of_an_unknown_array_must_tell_its_size(lab: Lab, queue: Queue) -> None:
    with pytest.raises(UnknownJob):
        submit(lab, array=new_id())


def test_a_repeated_submit_counts_once(lab: Lab, queue: Queue) -> None:
    array = new_id()
    jobs = members(array, 2)
    queue.submit(jobs)
    queue.submit(jobs)
    assert queue.array(array).submitted == 2


def test_a_retried_job_opens_its_array_again(lab: Lab, queue: Queue) -> None:
    array, jobs = array_of(lab, 2)
    end(lab, jobs[0])
    fail(lab, jobs[1])
    queue.retry(jobs[1])
    info = queue.array(array)
    assert (info.succeeded, info.failed, info.over) == (1, 0, False)
    end(lab, jobs[1])
    assert queue.array(array).over
    assert statuses(lab, submit(lab, after=(array,))) == [Status.QUEUED]


def test_a_retry_in_an_array_that_failed_is_let_run(lab: Lab, queue: Queue) -> None:
    _, (good, bad) = array_of(lab, 2, array_max_fails=0)
    end(lab, good)
    fail(lab, bad)
    queue.retry(good)
    assert statuses(lab, good, bad) == [Status.QUEUED, Status.FAILED]
    end(lab, good)


def test_no_circle_goes_through_an_array(lab: Lab, queue: Queue) -> None:
    array, other = new_id(), new_id()
    first, second, third = members(array, 3)
    queue.submit([first])
    waiter = submit(lab, after=(array,))
    with pytest.raises(InvalidSpec):
        submit(lab, array=array, after=(waiter,))
    with pytest.raises(InvalidSpec):
        submit(lab, array=other, array_size=1, after=(other,))
    # A job that waits for nobody may still join.
    queue.submit([second, third])
    queue.cancel_array(array)


def test_a_page_of_an_array(lab: Lab, queue: Queue) -> None:
    array, jobs = array_of(lab, 5)
    submit(lab)
    fail(lab, jobs[1])
    fail(lab, jobs[3])
    page = queue.list(array=array, limit=3)
    assert [job.id for job in page.jobs] == [jobs[4], jobs[3], jobs[2]]
    page = queue.list(array=array, limit=3, cursor=page.cursor)
    assert ([job.id for job in page.jobs], page.cursor) == ([jobs[1], jobs[0]], None)
    failed = queue.list(Status.FAILED, array=array, limit=1)
    assert [job.id for job in failed.jobs] == [jobs[3]]
    failed = queue.list(Status.FAILED, array=array, limit=1, cursor=failed.cursor)
    assert [job.id for job in failed.jobs] == [jobs[1]]


def test_a_page_of_an_array_looks_at_so_many_jobs_and_no_more(lab: Lab, queue: Queue) -> None:
    array = new_id()
    jobs = members(array, 1500)
    for i in range(0, 1500, 500):
        queue.submit(jobs[i : i + 500])
    queue.cancel(jobs[0].id)
    page = queue.list(Status.CANCELLED, array=array)
    assert page.jobs == []
    assert page.cursor == jobs[500].id
    page = queue.list(Status.CANCELLED, array=array, cursor=page.cursor)
    assert ([job.id for job in page.jobs], page.cursor) == ([jobs[0].id], None)


@pytest.mark.parametrize("array", [None, new_id()])
def test_a_page_is_no_larger_than_its_reader_can_hold(
    lab: Lab, queue: Queue, array: str | None
) -> None:
    told = {"array": array, "array_size": 12} if array else {}
    ids = lab.submit(12, stdin=b"x" * 500_000, **told)
    first = queue.list(array=array)
    assert 6 <= len(first.jobs) < 9
    rest = queue.list(array=array, cursor=first.cursor)
    assert [job.id for job in (*first.jobs, *rest.jobs)] == ids[::-1]
    assert rest.cursor is None
