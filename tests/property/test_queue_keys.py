"""A key makes a submit idempotent: the same key, the same job."""

from __future__ import annotations

from jobctl.queue import JobSpec, Keep, Queue, Retention, Status, new_id
from tests.support.flows import end, spec, statuses, submit
from tests.support.queue_lab import Lab

EVERYTHING = Keep(count=0)


def submitted(queue: Queue, *specs: JobSpec) -> list[tuple[str, bool]]:
    return [(done.id, done.created) for done in queue.submit(specs)]


def test_the_same_key_is_the_same_job(lab: Lab, queue: Queue) -> None:
    first, second = spec(key="nightly 2024-05-01"), spec(key="nightly 2024-05-01")
    assert submitted(queue, first) == [(first.id, True)]
    assert submitted(queue, second) == [(first.id, False)]
    assert submitted(queue, first) == [(first.id, False)]
    assert queue.get_many([second.id]) == [None]
    assert queue.get(first.id).key == "nightly 2024-05-01"


def test_also_within_one_submit(lab: Lab, queue: Queue) -> None:
    first, second, other = spec(key="a"), spec(key="a"), spec(key="b")
    done = submitted(queue, first, second, other)
    assert done == [(first.id, True), (first.id, False), (other.id, True)]


def test_a_key_lasts_as_long_as_its_job(lab: Lab, queue: Queue) -> None:
    first = submit(lab, key="a")
    end(lab, first)
    assert submit(lab, key="a") == first
    queue.prune(Retention(succeeded=EVERYTHING))
    second = spec(key="a")
    assert submitted(queue, second) == [(second.id, True)]


def test_a_child_waits_for_the_job_that_has_its_parents_key(lab: Lab, queue: Queue) -> None:
    older = submit(lab, key="prepare")
    parent = spec(key="prepare")
    child = spec(after=(parent.id,))
    queue.submit([parent, child])
    assert queue.get(child.id).after == (older,)
    assert statuses(lab, child.id) == [Status.BLOCKED]
    end(lab, older)
    assert statuses(lab, child.id) == [Status.QUEUED]


def test_a_job_that_is_there_by_its_key_needs_no_parents_any_more(lab: Lab, queue: Queue) -> None:
    parent = submit(lab)
    end(lab, parent)
    child = submit(lab, key="report", after=(parent,))
    queue.prune(Retention(succeeded=EVERYTHING))
    assert submit(lab, key="report", after=(parent,)) == child
    assert submit(lab, key="report", array=new_id()) == child
