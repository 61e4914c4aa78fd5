"""A plain function's claim is not in its hash at first: nobody who looks can tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobctl.queue import Cause, Finish, JobSpec, Outcome, Queue, Status, Verdict, new_id
from tests.support.queue_lab import FAILED, OK, Lab


@pytest.fixture
def lease(lab: Lab) -> tuple[str, int]:
    """A plain function that worker-1 (inc-1) has claimed, and whose hash does not say so."""
    lab.queue.submit([JobSpec(id=new_id(), function="pkg.tasks:f")])
    [lease] = lab.claim(lab.worker("inc-1"))
    assert lab.redis.hget(f"{lab.prefix}job:{lease[0]}", "status") == "queued"
    return lease


def test_whoever_reads_sees_it_claimed(lab: Lab, queue: Queue, lease: tuple[str, int]) -> None:
    lab.worker("inc-2", "worker-2")
    seen = [
        queue.get(lease[0]),
        queue.get_many([lease[0]])[0],
        queue.list(Status.CLAIMED).jobs[0],
        queue.facts(lease[0]).job,
    ]
    for job in seen:
        assert job is not None
        assert (job.status, job.attempt) == (Status.CLAIMED, 1)
        assert (job.worker, job.incarnation) == ("worker-1", "inc-1")
        assert job.claimed_at is not None
        assert abs(job.claimed_at - lab.now_ms()) < 5000
    assert queue.list(Status.QUEUED).jobs == []
    assert (queue.counts()[Status.QUEUED], queue.counts()[Status.CLAIMED]) == (0, 1)


def test_its_finish_writes_all_of_it(lab: Lab, queue: Queue, lease: tuple[str, int]) -> None:
    queue.finish("inc-1", [Finish(*lease, OK, 1234)])
    job = queue.get(lease[0])
    assert (job.status, job.attempt, job.worker) == (Status.SUCCEEDED, 1, "worker-1")
    assert (job.started_at, job.accepted) == (1234, 1)


def _renewed(lab: Lab, lease: tuple[str, int]) -> None:
    assert lab.queue.renew("inc-1", [lease]).verdicts == [Verdict.OK]


def _started(lab: Lab, lease: tuple[str, int]) -> None:
    assert lab.queue.start("inc-1", [lease]) == [Verdict.OK]


def _reported(lab: Lab, lease: tuple[str, int]) -> None:
    assert lab.queue.report(*lease, step="one") == Verdict.OK


@pytest.mark.parametrize("touch", [_renewed, _started, _reported])
@pytest.mark.parametrize("outcome", [OK, FAILED])
def test_it_goes_on_as_any_other(
    lab: Lab,
    queue: Queue,
    lease: tuple[str, int],
    touch: Callable[[Lab, tuple[str, int]], None],
    outcome: Outcome,
) -> None:
    touch(lab, lease)
    assert lab.redis.hget(f"{lab.prefix}job:{lease[0]}", "worker") == "worker-1"
    verdicts, _ = queue.finish("inc-1", [Finish(*lease, outcome)])
    assert verdicts == [Verdict.OK]
    job = queue.get(lease[0])
    assert job.status == (Status.SUCCEEDED if outcome.succeeded else Status.FAILED)
    assert (job.attempt, job.accepted) == (1, 1)


def test_a_stale_attempt_is_refused(queue: Queue, lease: tuple[str, int]) -> None:
    assert queue.start("inc-1", [(lease[0], 2)]) == [Verdict.STALE]
    verdicts, _ = queue.finish("inc-1", [Finish(lease[0], 2, OK)])
    assert verdicts == [Verdict.STALE]


def test_a_finish_from_elsewhere_meets_the_fence_only(
    lab: Lab, queue: Queue, lease: tuple[str, int]
) -> None:
    # As for a claim that is written: the attempt is the fence, not the process.
    lab.worker("inc-2", "worker-2")
    assert queue.finish("inc-2", [Finish(*lease, OK)])[0] == [Verdict.OK]
    assert queue.get(lease[0]).worker == "worker-1"


def test_its_worker_is_lost(lab: Lab, queue: Queue, lease: tuple[str, int]) -> None:
    assert queue.release("inc-1", Cause.WORKER_LOST) == 1
    job = queue.get(lease[0])
    assert (job.status, job.attempt, job.crashes, job.losses) == (Status.QUEUED, 1, 0, 1)
    assert queue.finish("inc-1", [Finish(*lease, OK)])[0] == [Verdict.STALE]
    assert lab.claim(lab.worker("inc-2")) == [(lease[0], 2)]


def test_its_lease_ends(lab: Lab, queue: Queue, lease: tuple[str, int]) -> None:
    lab.expire("inc-1")
    queue.tick()
    assert (queue.get(lease[0]).status, queue.get(lease[0]).losses) == (Status.QUEUED, 1)


def test_it_is_handed_back(lab: Lab, queue: Queue, lease: tuple[str, int]) -> None:
    assert queue.hand_back("inc-1", [lease], Cause.SCALE_DOWN) == [Verdict.OK]
    assert (queue.get(lease[0]).status, queue.get(lease[0]).crashes) == (Status.QUEUED, 0)
    assert lab.claim("inc-1") == [(lease[0], 2)]


def test_its_reply_was_lost(lab: Lab, queue: Queue, lease: tuple[str, int]) -> None:
    queue.renew("inc-1", [])
    assert queue.get(lease[0]).status is Status.CLAIMED
    lab.age_claim(lease[0])
    queue.renew("inc-1", [])
    assert queue.get(lease[0]).status is Status.QUEUED


def test_it_is_cancelled(queue: Queue, lease: tuple[str, int]) -> None:
    assert queue.cancel(lease[0]).status is Status.CANCELLED
    assert queue.finish("inc-1", [Finish(*lease, OK)])[0] == [Verdict.STALE]


def test_a_child_waits_for_it(lab: Lab, queue: Queue, lease: tuple[str, int]) -> None:
    [child] = lab.submit(after=(lease[0],))
    assert queue.get(child).status is Status.BLOCKED
    queue.finish("inc-1", [Finish(*lease, OK)])
    queue.tick()
    assert queue.get(child).status is Status.QUEUED
