"""Each way in the table of transitions is gone once, by the call the table names."""

from __future__ import annotations

from jobctl.queue import Backoff, Cause, Finish, Outcome, Status, Verdict, new_id
from jobctl.queue.status import TRANSITIONS
from tests.support.queue_lab import FAILED, OK, Lab

SOON = Backoff(base=1000.0, cap=1000.0)


def gone(lab: Lab) -> set[tuple[Status | None, Status]]:
    entries = lab.queue.events("0", block=0.01, count=10_000)
    return {(t.was, t.status) for entry in entries for t in entry.transitions}


def wait_and_be_told(lab: Lab, worker: str) -> None:
    """The ways of jobs that wait: for their time, or for others."""
    queue = lab.queue
    lab.submit(delay=1000.0)
    (parent,) = lab.submit()
    waiting = lab.submit(2, after=(parent,)) + lab.submit(after=(parent,), delay=1000.0)
    queue.cancel(waiting[0])
    (lease,) = lab.claim(worker)
    assert queue.finish(worker, [Finish(*lease, OK)])[0] == [Verdict.OK]
    assert [queue.get(i).status for i in waiting] == ["cancelled", "queued", "scheduled"]
    lab.submit(after=(waiting[0],))


def come_back(lab: Lab, *statuses: Status) -> None:
    """Restore jobs that ended so."""
    for status in statuses:
        fields = {"id": new_id(), "queue": "default", "function": "m:f", "status": status}
        assert lab.queue.restore([{"kind": "job", "fields": fields}]) == 1


def test_every_way_in_the_table_can_be_gone(lab: Lab) -> None:
    queue = lab.queue
    worker = lab.worker("inc-1")

    def claimed() -> tuple[str, int]:
        lab.submit(1, max_attempts=2, backoff=SOON)
        return lab.claim(worker)[0]

    def started() -> tuple[str, int]:
        lease = claimed()
        assert queue.start(worker, [lease]) == [Verdict.OK]
        return lease

    def finish(lease: tuple[str, int], outcome: Outcome) -> None:
        assert queue.finish(worker, [Finish(*lease, outcome)])[0] == [Verdict.OK]

    def clear(lease: tuple[str, int]) -> None:
        """Nothing waits any more, so that the next claim gets the next job."""
        queue.cancel(lease[0])

    rejected = Outcome(False, Cause.REJECTED)
    for begin in (claimed, started):
        finish(begin(), OK)
        finish(begin(), rejected)
        back = begin()
        assert queue.hand_back(worker, [back], Cause.SCALE_DOWN) == [Verdict.OK]
        clear(back)
        again = begin()
        finish(again, FAILED)
        lab.make_due(again[0])
        assert queue.tick().moved == 1
        clear(again)
        waiting = begin()
        finish(waiting, FAILED)
        clear(waiting)
    clear(claimed())
    stopped = started()
    queue.cancel(stopped[0])
    finish(stopped, FAILED)
    wait_and_be_told(lab, worker)
    for status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
        queue.retry(queue.list(status).jobs[0].id)
    come_back(lab, Status.SUCCEEDED, Status.FAILED)
    assert gone(lab) == {(edge.was, edge.to) for edge in TRANSITIONS}
