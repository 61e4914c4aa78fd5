"""Jobs that wait for others: when they run, when they never will."""

from __future__ import annotations

import pytest

from jobctl.queue import (
    AfterPolicy,
    Cause,
    InvalidSpec,
    Keep,
    Queue,
    Retention,
    Status,
    UnknownJob,
    new_id,
)
from tests.support.flows import end, fail, get, spec, statuses, submit, tick_until_still
from tests.support.queue_lab import Lab

FINISHED = AfterPolicy.FINISHED


def test_a_child_waits_for_all_its_parents(lab: Lab, queue: Queue) -> None:
    first, second = submit(lab), submit(lab)
    child = submit(lab, after=(first, second))
    assert (queue.get(child).status, queue.get(child).blockers) == (Status.BLOCKED, 2)
    end(lab, first)
    assert (queue.get(child).status, queue.get(child).blockers) == (Status.BLOCKED, 1)
    end(lab, second)
    assert (queue.get(child).status, queue.get(child).blockers) == (Status.QUEUED, 0)
    end(lab, child)


def test_a_released_child_wakes_a_worker(lab: Lab, queue: Queue) -> None:
    parent = submit(lab)
    submit(lab, after=(parent,), queue="later")
    assert not queue.wait_work(["later"], 0.01)
    end(lab, parent)
    assert queue.wait_work(["later"], 0.01)
    queue.claim(lab.worker("inc-1"), 0, ["later"])


def test_parents_that_are_over_count_at_once(lab: Lab, queue: Queue) -> None:
    good, bad = submit(lab), submit(lab)
    end(lab, good)
    fail(lab, bad)
    assert queue.get(submit(lab, after=(good,))).status is Status.QUEUED
    assert queue.get(submit(lab, after=(good, bad), after_policy=FINISHED)).status is Status.QUEUED
    lost = queue.get(submit(lab, after=(good, bad)))
    assert (lost.status, lost.cause) == (Status.CANCELLED, Cause.CANCELLED)
    assert lost.reason == f"its parent {bad} failed"


def test_a_failed_parent_cancels_its_children_and_theirs(lab: Lab, queue: Queue) -> None:
    root = submit(lab)
    other = submit(lab)
    child = submit(lab, after=(root, other))
    grandchild = submit(lab, after=(child,))
    anyway = submit(lab, after=(child,), after_policy=FINISHED)
    fail(lab, root)
    first, second = get(lab, child, grandchild)
    assert (first.status, first.reason) == (Status.CANCELLED, f"its parent {root} failed")
    assert (second.status, second.reason) == (
        Status.CANCELLED,
        f"its parent {child} was cancelled",
    )
    assert statuses(lab, anyway, other) == [Status.QUEUED, Status.QUEUED]
    end(lab, other)  # its child is over already
    assert statuses(lab, child) == [Status.CANCELLED]


def test_a_cancelled_parent_does_the_same(lab: Lab, queue: Queue) -> None:
    root = submit(lab)
    child = submit(lab, after=(root,))
    anyway = submit(lab, after=(root,), after_policy=FINISHED)
    queue.cancel(root)
    assert statuses(lab, child, anyway) == [Status.CANCELLED, Status.QUEUED]


def test_a_parent_with_tries_left_is_not_over(lab: Lab, queue: Queue) -> None:
    root = submit(lab, max_attempts=2)
    child = submit(lab, after=(root,))
    fail(lab, root)
    assert statuses(lab, root, child) == [Status.SCHEDULED, Status.BLOCKED]
    lab.make_due(root)
    queue.tick()
    end(lab, root)
    assert statuses(lab, child) == [Status.QUEUED]


def test_a_blocked_job_can_be_cancelled_and_retried(lab: Lab, queue: Queue) -> None:
    root = submit(lab)
    child = submit(lab, after=(root,))
    assert queue.cancel(child).status is Status.CANCELLED
    assert queue.retry(child).status is Status.QUEUED
    end(lab, root)
    assert statuses(lab, child) == [Status.QUEUED]


def test_a_child_keeps_its_delay(lab: Lab, queue: Queue) -> None:
    root = submit(lab)
    child = submit(lab, after=(root,), delay=1000)
    end(lab, root)
    assert statuses(lab, child) == [Status.SCHEDULED]
    lab.make_due(child)
    queue.tick()
    assert statuses(lab, child) == [Status.QUEUED]


def test_a_parent_named_twice_is_one(lab: Lab, queue: Queue) -> None:
    root = submit(lab)
    child = submit(lab, after=(root, root))
    assert queue.get(child).blockers == 1
    end(lab, root)
    assert statuses(lab, child) == [Status.QUEUED]


def test_parents_must_be_known_and_nothing_is_taken_in_otherwise(lab: Lab, queue: Queue) -> None:
    plain, orphan = spec(), spec(after=(new_id(),))
    with pytest.raises(UnknownJob) as error:
        queue.submit([plain, orphan])
    assert error.value.job_id == orphan.after[0]
    assert queue.get_many([plain.id, orphan.id]) == [None, None]


def test_a_parent_may_come_earlier_in_the_same_submit_only(lab: Lab, queue: Queue) -> None:
    first = spec()
    second = spec(after=(first.id,))
    with pytest.raises(UnknownJob):
        queue.submit([second, first])
    queue.submit([first, second])
    assert statuses(lab, first.id, second.id) == [Status.QUEUED, Status.BLOCKED]
    assert [done.created for done in queue.submit([first, second])] == [False, False]
    assert queue.get(second.id).blockers == 1


def test_many_children_are_released_in_batches_and_in_order(lab: Lab, queue: Queue) -> None:
    root = submit(lab)
    children = [spec(after=(root,)) for _ in range(250)]
    queue.submit(children)
    end(lab, root)
    counts = queue.counts()
    assert (counts[Status.QUEUED], counts[Status.BLOCKED]) == (100, 150)
    tick = queue.tick(100)
    assert (tick.moved, tick.next_due) == (100, 0)
    tick_until_still(lab)
    assert queue.counts()[Status.QUEUED] == 250
    claims = queue.claim(lab.worker("inc-1"), 250, ["default"])
    assert [job.id for job in claims.jobs] == [child.id for child in children]


def test_a_long_chain_falls_in_bounded_steps(lab: Lab, queue: Queue) -> None:
    chain = [spec()]
    for _ in range(300):
        chain.append(spec(after=(chain[-1].id,)))
    queue.submit(chain)
    queue.cancel(chain[0].id)
    assert queue.counts()[Status.CANCELLED] == 101
    tick_until_still(lab)
    assert queue.counts()[Status.CANCELLED] == 301


def test_workers_carry_on_a_cascade_without_a_master(lab: Lab, queue: Queue) -> None:
    root = submit(lab)
    queue.submit([spec(after=(root,)) for _ in range(150)])
    queue.cancel(root)
    worker = lab.worker("inc-1")
    lab.nobody_swept_for(1)
    queue.claim(worker, 0, ["default"])
    assert queue.counts()[Status.BLOCKED] == 0


def test_a_retried_parent_leaves_its_children_as_they_are(lab: Lab, queue: Queue) -> None:
    root = submit(lab)
    child = submit(lab, after=(root,))
    fail(lab, root)
    queue.retry(root)
    assert statuses(lab, root, child) == [Status.QUEUED, Status.CANCELLED]
    later = submit(lab, after=(root,))
    end(lab, root)
    assert statuses(lab, child, later) == [Status.CANCELLED, Status.QUEUED]


def test_children_of_a_retried_parent_hear_of_the_end_they_waited_for(
    lab: Lab, queue: Queue
) -> None:
    root = submit(lab)
    first = [spec(after=(root,)) for _ in range(250)]
    queue.submit(first)
    fail(lab, root)
    queue.retry(root)
    later = [spec(after=(root,)) for _ in range(3)]
    queue.submit(later)
    assert queue.counts()[Status.BLOCKED] == 153  # most were not told yet
    queue.tick()
    assert set(statuses(lab, *(job.id for job in later))) == {Status.BLOCKED}
    end(lab, root)
    tick_until_still(lab)
    assert set(statuses(lab, *(job.id for job in first))) == {Status.CANCELLED}
    assert set(statuses(lab, *(job.id for job in later))) == {Status.QUEUED}


def test_so_do_those_of_an_array_that_was_over(lab: Lab, queue: Queue) -> None:
    array = new_id()
    job = submit(lab, array=array, array_size=1)
    queue.submit([spec(after=(array,)) for _ in range(250)])
    fail(lab, job)
    queue.retry(job)
    later = submit(lab, after=(array,))
    tick_until_still(lab)
    assert statuses(lab, later) == [Status.BLOCKED]
    assert queue.counts()[Status.CANCELLED] == 250
    end(lab, job)
    assert statuses(lab, later) == [Status.QUEUED]


def test_another_job_with_a_childs_id_is_not_mistaken_for_it(lab: Lab, queue: Queue) -> None:
    old, new = submit(lab), submit(lab)
    child = submit(lab, after=(old,))
    queue.cancel(child)
    queue.prune(Retention(cancelled=Keep(count=0)))
    submit(lab, id=child, after=(new,))
    end(lab, old)
    assert statuses(lab, child) == [Status.BLOCKED]
    end(lab, new)
    assert statuses(lab, child) == [Status.QUEUED]


def test_a_job_cannot_wait_for_itself() -> None:
    own = new_id()
    with pytest.raises(InvalidSpec):
        spec(id=own, after=(own,))


def test_one_submit_takes_a_bounded_number_of_links(lab: Lab, queue: Queue) -> None:
    parents = tuple(new_id() for _ in range(1000))
    with pytest.raises(InvalidSpec, match="at most 10000"):
        queue.submit([spec(after=parents) for _ in range(11)])
