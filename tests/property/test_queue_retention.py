"""Ended jobs go by age and count; what is still needed stays; their folders go after them."""

from __future__ import annotations

import pytest

from jobctl.queue import Keep, Queue, Retention, Status, new_id
from tests.support.flows import end, fail, spec, submit, tick_until_still
from tests.support.queue_lab import Lab

NONE = Keep(count=0)
ALL_GO = Retention(succeeded=NONE, failed=NONE, cancelled=NONE)
DAY = 86_400.0


def old_id(index: int) -> str:
    """An id that was minted in 1970; they rise with the index."""
    return f"{index:026d}"


def ended(lab: Lab, count: int, **fields: object) -> list[str]:
    """Succeeded jobs, oldest first."""
    ids = [submit(lab, **fields) for _ in range(count)]
    for job_id in ids:
        end(lab, job_id)
    return ids


def there(lab: Lab, ids: list[str]) -> list[str]:
    return [job.id for job in lab.queue.get_many(ids) if job is not None]


def age(lab: Lab, job_id: str, days: float) -> None:
    """As if a job had ended that long ago."""
    then = lab.now_ms() - round(days * DAY * 1000)
    lab.redis.hset(f"{lab.prefix}job:{job_id}", "finished_at", str(then))


def test_the_newest_are_kept(lab: Lab, queue: Queue) -> None:
    ids = ended(lab, 5)
    assert queue.prune(Retention(succeeded=Keep(count=2))) == 3
    assert there(lab, ids) == ids[3:]
    assert queue.prune(Retention(succeeded=Keep(count=2))) == 0


def test_the_aged_go(lab: Lab, queue: Queue) -> None:
    ids = ended(lab, 1, id=old_id(1)) + ended(lab, 1, id=old_id(2)) + ended(lab, 1, id=old_id(3))
    for job_id, days in zip(ids, (8, 6, 9), strict=True):
        age(lab, job_id, days)
    assert queue.prune(Retention(succeeded=Keep(age=7 * DAY))) == 2
    assert there(lab, ids) == [ids[1]]


def test_what_was_submitted_lately_is_not_even_looked_at(lab: Lab, queue: Queue) -> None:
    (job,) = ended(lab, 1)
    age(lab, job, 365)  # it cannot have ended before it was there
    assert queue.prune(Retention(succeeded=Keep(age=7 * DAY))) == 0


def test_each_status_has_its_rule(lab: Lab, queue: Queue) -> None:
    (good,), bad, gone, waits = ended(lab, 1), submit(lab), submit(lab), submit(lab)
    fail(lab, bad)
    queue.cancel(gone)
    assert queue.prune(Retention()) == 0
    assert queue.prune(Retention(failed=NONE)) == 1
    assert there(lab, [good, bad, gone, waits]) == [good, gone, waits]
    assert queue.prune(ALL_GO) == 2
    assert there(lab, [waits]) == [waits]


def test_it_is_done_in_bounded_batches(lab: Lab, queue: Queue) -> None:
    jobs = [submit(lab) for _ in range(7)]
    for job in jobs:
        queue.cancel(job)
    assert [queue.prune(ALL_GO, limit=3) for _ in range(4)] == [3, 3, 1, 0]


def test_what_must_stay_does_not_stand_in_the_way(lab: Lab, queue: Queue) -> None:
    array = new_id()
    open_ones = [submit(lab, array=array, array_index=i, array_size=9) for i in range(5)]
    for job in open_ones:
        end(lab, job)
    later = ended(lab, 5)
    pruned = [queue.prune(ALL_GO, limit=3) for _ in range(6)]
    assert sum(pruned) == 5
    assert there(lab, open_ones + later) == open_ones
    queue.cancel_array(array)
    while queue.prune(ALL_GO, limit=3) or queue.prune(ALL_GO, limit=3):
        pass
    assert there(lab, open_ones) == []


def test_nothing_of_a_job_is_left(lab: Lab, queue: Queue) -> None:
    array = new_id()
    parent = submit(lab, name="named", key="key", concurrency_key="db", concurrency_limit=1)
    child = submit(lab, name="named", after=(parent,), array=array, array_size=1)
    end(lab, parent)
    end(lab, child)
    assert queue.prune(ALL_GO) == 2
    left = {key.removeprefix(lab.prefix) for key in lab.redis.scan_iter(f"{lab.prefix}*")}
    assert left <= {"meta", "events", "litter", "workers"}


def test_a_parent_stays_until_its_children_know(lab: Lab, queue: Queue) -> None:
    root = submit(lab)
    queue.submit([spec(after=(root,)) for _ in range(150)])
    end(lab, root)
    assert queue.prune(ALL_GO) == 0
    tick_until_still(lab)
    assert queue.prune(ALL_GO) == 1
    assert queue.counts()[Status.QUEUED] == 150


def test_folders_are_handed_out_one_worker_at_a_time(lab: Lab, queue: Queue) -> None:
    ids = ended(lab, 3)
    queue.prune(ALL_GO)
    first = queue.take_litter(2)
    second = queue.take_litter(2)
    assert sorted(first + second) == sorted(ids)
    assert queue.take_litter(2) == []
    queue.drop_litter(first)
    # The other worker died: after a minute they are handed out again.
    lab.redis.zadd(f"{lab.prefix}litter", dict.fromkeys(second, 1), xx=True)
    assert queue.take_litter(9) == second
    queue.drop_litter(second)
    assert not lab.redis.exists(f"{lab.prefix}litter")


def test_no_more_is_deleted_than_workers_can_clear(lab: Lab, queue: Queue) -> None:
    ended(lab, 3)
    litter = {f"L{i}": 0 for i in range(99_998)}
    lab.redis.zadd(f"{lab.prefix}litter", litter)
    assert queue.prune(ALL_GO) == 2
    assert queue.prune(ALL_GO) == 0


@pytest.mark.parametrize("submitted", [0, 1])
def test_an_array_that_was_never_filled_is_given_up(lab: Lab, queue: Queue, submitted: int) -> None:
    array = new_id()
    queue.open_array(array, 5)
    for _ in range(submitted):
        end(lab, submit(lab, array=array))
    waits = submit(lab, after=(array,))
    queue.prune(Retention())
    assert queue.get(waits).status is Status.BLOCKED
    lab.redis.zadd(f"{lab.prefix}arrays", {array: lab.now_ms() - 2 * DAY * 1000})
    queue.prune(Retention())
    assert queue.get(waits).status is Status.CANCELLED


def test_an_unfilled_array_with_jobs_to_do_is_let_be(lab: Lab, queue: Queue) -> None:
    array = new_id()
    queue.open_array(array, 5)
    job = submit(lab, array=array)
    lab.redis.zadd(f"{lab.prefix}arrays", {array: 1})
    queue.prune(Retention())
    assert queue.get(job).status is Status.QUEUED
    assert not queue.array(array).over
