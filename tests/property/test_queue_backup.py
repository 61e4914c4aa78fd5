"""A backup of a queue that is at work goes into another one, and that goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jobctl.queue import (
    AfterPolicy,
    Backoff,
    Cause,
    DamagedBackup,
    Finish,
    JobSpec,
    Keep,
    Outcome,
    Queue,
    QueueState,
    Retention,
    Status,
    new_id,
)
from jobctl.queue.backup import BATCH, BackupReader, BackupWriter
from tests.support.flows import end, fail, spec, statuses, submit, tick_until_still
from tests.support.leaks import leaks
from tests.support.queue_lab import FAILED, OK, Lab
from tests.support.redis_server import RedisServer


@pytest.fixture
def other(redis_server: RedisServer) -> Iterator[Lab]:
    """A second cluster."""
    with Lab(redis_server, "restored") as lab:
        yield lab
        assert leaks(lab.redis, lab.project) == []


def pages(queue: Queue) -> Iterator[list[dict[str, Any]]]:
    cursor = "0"
    while True:
        cursor, records = queue.backup_page(cursor)
        yield records
        if cursor == "0":
            return


def backup(lab: Lab) -> bytes:
    writer = BackupWriter(lab.project, lab.now_ms())
    return b"".join(writer.add(page) for page in pages(lab.queue)) + writer.end()


def restore(lab: Lab, data: bytes, step: int = 1000) -> int:
    reader = BackupReader()
    records: list[dict[str, Any]] = []
    for at in range(0, len(data), step):
        records += reader.feed(data[at : at + step])
    records += reader.end()
    return sum(lab.queue.restore(records[at : at + BATCH]) for at in range(0, len(records), BATCH))


def move(lab: Lab, other: Lab) -> int:
    return restore(other, backup(lab))


def order(lab: Lab, queue: str = "default") -> list[str]:
    """The ids that a worker would get, in order."""
    worker = lab.worker("order", "order")
    jobs = lab.queue.claim(worker, 256, [queue]).jobs
    lab.queue.hand_back(worker, [(job.id, job.attempt) for job in jobs], Cause.SCALE_DOWN)
    lab.queue.deregister(worker)
    return [job.id for job in jobs]


def test_every_field_of_a_job_comes_back(lab: Lab, other: Lab) -> None:
    job = JobSpec(
        id=new_id(),
        argv=("sh", "-c", "echo \udcff é"),
        name="all of it",
        env={"A": "ü"},
        stdin=b"\0\xff",
        timeout=1.5,
        grace=0,
        priority=7,
        key="k",
        concurrency_key="db",
        concurrency_limit=2,
        max_attempts=3,
        backoff=Backoff(0.5, 9, 0),
        retry_on={"exit": {"75": "retry", "default": "fail"}},
        array=new_id(),
        array_index=0,
        array_size=1,
    )
    lab.queue.submit([job])
    assert move(lab, other) == 1
    assert other.queue.get(job.id) == lab.queue.get(job.id)
    again = submit(other, key="k")
    assert again == job.id


def test_ended_jobs_stay_as_they_were(lab: Lab, other: Lab) -> None:
    good, bad, gone, twice = submit(lab), submit(lab, name="n"), submit(lab), submit(lab)
    end(lab, good, Outcome(True, exit_code=0, result='{"a": [1]}'))
    fail(lab, bad)
    lab.queue.cancel(gone)
    fail(lab, twice)
    lab.queue.retry(twice)
    end(lab, twice)
    ids = [good, bad, gone, twice]
    assert move(lab, other) == 4
    assert other.queue.get_many(ids) == lab.queue.get_many(ids)
    assert other.queue.counts() == lab.queue.counts()
    assert [job.id for job in other.queue.list(Status.FAILED, name="n").jobs] == [bad]


def test_queues_keep_their_order_and_what_was_held_comes_first(lab: Lab, other: Lab) -> None:
    held = submit(lab)
    lab.claim(lab.worker("inc-1"))
    first, second, high = submit(lab), submit(lab), submit(lab, priority=3)
    move(lab, other)
    later, late_high = submit(other), submit(other, priority=3)
    assert order(other) == [high, late_high, held, first, second, later]
    job = other.queue.get(held)
    assert (job.status, job.worker, job.claimed_at) == (Status.QUEUED, "", None)
    assert job.attempt == 2  # the fence goes on from where it was


def test_a_job_that_was_being_cancelled_is(lab: Lab, other: Lab) -> None:
    lease = lab.running()
    lab.queue.cancel(lease[0])
    move(lab, other)
    assert statuses(other, lease[0]) == [Status.CANCELLED]


def test_scheduled_jobs_come_when_they_are_due(lab: Lab, other: Lab) -> None:
    job = submit(lab, delay=1000)
    due = lab.queue.get(job).due_at
    move(lab, other)
    assert other.queue.get(job).due_at == due
    other.make_due(job)
    other.queue.tick()
    assert statuses(other, job) == [Status.QUEUED]


def test_flows_go_on(lab: Lab, other: Lab) -> None:
    done, left = submit(lab), submit(lab)
    child = submit(lab, after=(done, left))
    grandchild = submit(lab, after=(child,))
    end(lab, done)
    move(lab, other)
    assert other.queue.get(child).blockers == 1
    end(other, left)
    assert statuses(other, child, grandchild) == [Status.QUEUED, Status.BLOCKED]
    fail(other, child)
    assert statuses(other, grandchild) == [Status.CANCELLED]


def test_a_child_may_come_before_its_parents(lab: Lab, other: Lab) -> None:
    parents = [submit(lab) for _ in range(4)]
    child = submit(lab, after=tuple(parents))
    anyway = submit(lab, after=tuple(parents), after_policy=AfterPolicy.FINISHED)
    end(lab, parents[0])
    records = [record for page in pages(lab.queue) for record in page]
    by_id = {record["fields"]["id"]: record for record in records if record["kind"] == "job"}
    other.queue.restore([by_id[child], by_id[anyway]])
    assert other.queue.get(child).blockers == 4
    other.queue.restore([by_id[parents[0]], by_id[parents[1]]])
    assert other.queue.get(child).blockers == 3
    # One more was deleted before the backup, so it had ended well; the last is yet to come.
    other.queue.restore([by_id[parents[2]]])
    other.queue.restore([{"kind": "end"}])
    assert other.queue.get(child).blockers == 2
    other.queue.cancel(parents[1])
    assert statuses(other, child, anyway) == [Status.CANCELLED, Status.BLOCKED]
    end(other, parents[2])
    assert statuses(other, anyway) == [Status.QUEUED]


def test_a_parent_that_failed_after_its_child_was_read_cancels_it(lab: Lab, other: Lab) -> None:
    parent = submit(lab)
    child = submit(lab, after=(parent,))
    (before,) = [
        r for page in pages(lab.queue) for r in page if r.get("fields", {}).get("id") == child
    ]
    fail(lab, parent)
    (after,) = [
        r for page in pages(lab.queue) for r in page if r.get("fields", {}).get("id") == parent
    ]
    other.queue.restore([before])
    other.queue.restore([after])
    other.queue.restore([{"kind": "end"}])
    assert statuses(other, child) == [Status.CANCELLED]


def test_arrays_go_on(lab: Lab, other: Lab) -> None:
    array = new_id()
    jobs = [spec(array=array, array_index=i, array_size=3, array_max_fails=1) for i in range(3)]
    ids = [job.id for job in jobs]
    lab.queue.submit(jobs)
    callback = submit(lab, after=(array,))
    end(lab, ids[0])
    fail(lab, ids[1])
    move(lab, other)
    assert other.queue.array(array) == lab.queue.array(array)
    end(other, ids[2])
    assert other.queue.array(array).over
    assert statuses(other, callback) == [Status.QUEUED]


def test_an_array_that_is_over_and_partly_deleted_stays_over(lab: Lab, other: Lab) -> None:
    array = new_id()
    ids = [submit(lab, array=array, array_index=i, array_size=2) for i in range(2)]
    for job_id in ids:
        end(lab, job_id)
    lab.queue.prune(Retention(succeeded=Keep(count=1)))
    move(lab, other)
    info = other.queue.array(array)
    assert (info.succeeded, info.submitted, info.over) == (2, 1, True)
    assert statuses(other, submit(other, after=(array,))) == [Status.QUEUED]


@pytest.mark.parametrize("jobs_first", [False, True])
@pytest.mark.parametrize("outcome", [OK, FAILED])
def test_an_array_that_opens_again_while_it_is_read_is_not_over(
    lab: Lab, other: Lab, outcome: Outcome, jobs_first: bool
) -> None:
    array = new_id()
    ids = [submit(lab, array=array, array_size=4, array_max_fails=3) for _ in range(4)]
    for job_id in ids:
        end(lab, job_id, outcome)
    cursor, arrays = lab.queue.backup_page("0")
    lab.queue.prune(Retention(Keep(count=3), Keep(count=3)))  # the first, before it is read
    lab.queue.retry(ids[3])
    callback = submit(lab, after=(array,))
    records = []
    while cursor != "0":
        cursor, page = lab.queue.backup_page(cursor)
        records += page
    records.sort(key=lambda r: r["fields"]["id"], reverse=jobs_first)
    other.queue.restore([*arrays, *records, {"kind": "end"}])
    assert not other.queue.array(array).over
    assert statuses(other, callback) == [Status.BLOCKED]
    end(other, ids[3])
    info = other.queue.array(array)
    lost = 0 if outcome is OK else 3
    assert (info.succeeded, info.failed, info.over) == (4 - lost, lost, True)
    assert statuses(other, callback) == [Status.QUEUED]


def test_a_doomed_array_goes_on_being_cancelled(lab: Lab, other: Lab) -> None:
    array = new_id()
    lab.queue.submit([spec(array=array, array_size=250) for _ in range(250)])
    lab.queue.cancel_array(array)
    for page in pages(lab.queue):
        other.queue.restore(page)
        other.queue.tick()  # time goes on while a restore does
    other.queue.restore([{"kind": "end"}])
    tick_until_still(other)
    tick_until_still(lab)
    assert other.queue.counts()[Status.CANCELLED] == 250
    assert other.queue.array(array).over


def test_a_job_retried_out_of_a_cancelled_array_is_to_run(lab: Lab, other: Lab) -> None:
    array = new_id()
    [job, _] = [submit(lab, array=array, array_size=2) for _ in range(2)]
    lab.queue.cancel_array(array)
    lab.queue.retry(job)
    move(lab, other)
    assert order(other) == [job]


def test_states_of_queues_and_schedules_come_too(lab: Lab, other: Lab) -> None:
    lab.queue.pause("slow")
    lab.queue.fire("nightly", 1000, spec(queue="slow"))
    move(lab, other)
    assert {q.name: q.state for q in other.queue.queues()} == {"slow": QueueState.PAUSED}
    assert other.queue.schedules() == {"nightly": 1000}
    other.queue.resume("slow")


def test_what_is_there_is_left_alone(lab: Lab, other: Lab) -> None:
    job = submit(lab)
    data = backup(lab)
    end(lab, job)
    assert restore(lab, data) == 0
    assert statuses(lab, job) == [Status.SUCCEEDED]
    assert restore(other, data) == 1
    assert restore(other, data) == 0
    assert order(other) == [job]


def test_parked_jobs_keep_their_order(lab: Lab, other: Lab) -> None:
    ids = [submit(lab, concurrency_key="db", concurrency_limit=1) for _ in range(7)]
    lab.claim(lab.worker("inc-1"), 9)
    move(lab, other)
    worker, came = other.worker("inc-2"), []
    while jobs := other.claim(worker, 9):
        other.queue.finish(worker, [Finish(*lease, OK) for lease in jobs])
        came += [job_id for job_id, _ in jobs]
    assert came == ids


def test_a_backup_of_many_is_made_of_many_pages(lab: Lab, other: Lab) -> None:
    for _ in range(3):
        lab.queue.submit([spec() for _ in range(500)])
    data = backup(lab)
    assert len(list(pages(lab.queue))) > 5
    assert restore(other, data, step=5000) == 1500
    assert other.queue.counts()[Status.QUEUED] == 1500


def test_a_page_weighs_no_more_than_its_reader_can_hold(lab: Lab, other: Lab) -> None:
    mib = 1 << 20
    ids = [submit(lab, args=json.dumps(["x" * (mib // 5)])) for _ in range(80)]
    weights = [sum(len(json.dumps(record)) for record in page) for page in pages(lab.queue)]
    assert sum(weights) > 16 * mib
    # It is full with four, which the last step of the walk may exceed by some jobs.
    assert max(weights) < 6 * mib
    assert move(lab, other) == 80
    assert statuses(other, *ids) == [Status.QUEUED] * 80


def test_a_cut_file_is_refused_and_the_whole_one_makes_it_good(lab: Lab, other: Lab) -> None:
    lab.queue.submit([spec() for _ in range(50)])
    data = backup(lab)
    with pytest.raises(DamagedBackup):
        restore(other, data[:-20])
    restore(other, data)
    assert other.queue.counts()[Status.QUEUED] == 50
