"""Dead letters are the failed jobs: listed, retried one by one or all."""

from __future__ import annotations

from jobctl.queue import Cause, Outcome, Queue, Status
from tests.support.flows import end, fail, statuses, submit
from tests.support.queue_lab import Lab


def dead(lab: Lab, count: int, **fields: object) -> list[str]:
    ids = [submit(lab, **fields) for _ in range(count)]
    for job_id in ids:
        fail(lab, job_id)
    return ids


def test_all_are_retried_page_by_page_the_oldest_first(lab: Lab, queue: Queue) -> None:
    ids = dead(lab, 5)
    first, cursor = queue.retry_dead(2)
    assert (first, cursor) == (ids[:2], ids[1])
    second, cursor = queue.retry_dead(2, cursor)
    assert second == ids[2:4]
    last, cursor = queue.retry_dead(2, cursor)
    assert (last, cursor) == (ids[4:], "")
    assert statuses(lab, *ids) == [Status.QUEUED] * 5
    assert {job.run for job in queue.list().jobs} == {2}


def test_one_that_fails_again_is_not_retried_in_the_same_round(lab: Lab, queue: Queue) -> None:
    ids = dead(lab, 2)
    _, cursor = queue.retry_dead(1)
    fail(lab, ids[0])
    assert queue.retry_dead(1, cursor)[0] == [ids[1]]


def test_by_name_and_by_cause(lab: Lab, queue: Queue) -> None:
    plain, named = dead(lab, 1), dead(lab, 2, name="etl")
    oom = submit(lab, name="etl")
    end(lab, oom, Outcome(False, Cause.OOM))
    assert queue.retry_dead(name="etl", cause=Cause.OOM) == ([oom], "")
    assert queue.retry_dead(name="etl") == (named, "")
    assert statuses(lab, *plain, *named, oom) == [Status.FAILED] + [Status.QUEUED] * 3
    assert queue.retry_dead(cause=Cause.TIMEOUT) == ([], "")


def test_what_succeeded_or_was_cancelled_is_no_dead_letter(lab: Lab, queue: Queue) -> None:
    good, gone = submit(lab), submit(lab)
    end(lab, good)
    queue.cancel(gone)
    assert queue.retry_dead() == ([], "")
