"""Leases, lost and draining workers, waking: one promise a test, on a real Redis."""

from __future__ import annotations

from typing import Any

import pytest

from jobctl.queue import (
    Cause,
    Finish,
    Message,
    MessageKind,
    Queue,
    Status,
    Superseded,
    UnknownWorker,
    Verdict,
    WorkerStatus,
)
from jobctl.queue.explain import explain
from jobctl.queue.status import MAX_LOSSES
from tests.support.queue_lab import LEASE, OK, Lab

MISSING = "0" * 26


def test_a_worker_that_is_not_registered_gets_nothing(lab: Lab, queue: Queue) -> None:
    lab.submit()
    assert queue.wait_work(["default"], 1)
    with pytest.raises(UnknownWorker):
        queue.claim("stranger", 1, ["default"])
    # The token it used up is there again.
    assert queue.wait_work(["default"], 1)
    queue.tick()


def test_a_token_lost_with_its_worker_comes_back_with_the_next_tick(lab: Lab, queue: Queue) -> None:
    lab.submit()
    assert queue.wait_work(["default"], 1)
    assert not queue.wait_work(["default"], 0.01)
    queue.tick()
    assert queue.wait_work(["default"], 1)
    queue.tick()


def test_three_crashes_are_quarantine(lab: Lab, queue: Queue) -> None:
    (job_id,) = lab.submit()
    for round_ in (1, 2, 3):
        queue.start(f"inc-{round_}", lab.claim(lab.worker(f"inc-{round_}")))
        queue.release(f"inc-{round_}")
    job = queue.get(job_id)
    assert (job.status, job.crashes, job.cause) == (Status.FAILED, 3, Cause.WORKER_LOST)
    assert (job.failures, job.accepted) == (0, None)
    assert "quarantined" in job.reason
    assert [entry.cause for entry in job.history] == [Cause.WORKER_LOST] * 3


def test_what_had_not_begun_is_innocent_of_many_deaths(lab: Lab, queue: Queue) -> None:
    (job_id,) = lab.submit()
    for round_ in range(1, MAX_LOSSES):
        lab.claim(lab.worker(f"inc-{round_}"))
        queue.release(f"inc-{round_}", Cause.WORKER_LOST, "killed")
    job = queue.get(job_id)
    assert (job.status, job.crashes, job.losses) == (Status.QUEUED, 0, MAX_LOSSES - 1)
    assert {(entry.cause, entry.started_at) for entry in job.history} == {(Cause.WORKER_LOST, None)}
    lab.running(f"inc-{MAX_LOSSES}")
    queue.release(f"inc-{MAX_LOSSES}")
    # What it was found guilty of counts apart from what it only saw.
    assert (queue.get(job_id).crashes, queue.get(job_id).losses) == (1, MAX_LOSSES - 1)


def test_who_ends_its_worker_before_anybody_knows_comes_to_an_end(lab: Lab, queue: Queue) -> None:
    (job_id,) = lab.submit()
    for round_ in range(1, MAX_LOSSES + 1):
        assert [lease[0] for lease in lab.claim(lab.worker(f"inc-{round_}"))] == [job_id]
        queue.release(f"inc-{round_}")
    job = queue.get(job_id)
    assert (job.status, job.cause, job.losses) == (Status.FAILED, Cause.WORKER_LOST, MAX_LOSSES)
    assert "quarantined" in job.reason
    facts = queue.facts(job_id)
    assert f"lost {MAX_LOSSES} times" in explain(facts, facts.now_ms).reasons[0].text
    # Nobody else has to die for it again before it is retried by hand.
    queue.retry(job_id)
    assert (queue.get(job_id).status, queue.get(job_id).losses) == (Status.QUEUED, 0)


def test_who_speaks_of_himself_runs(lab: Lab, queue: Queue) -> None:
    (job_id,) = lab.submit()
    (lease,) = lab.claim(lab.worker("inc-1"))
    queue.report(*lease, step="one")
    assert queue.get(job_id).status is Status.RUNNING
    queue.release("inc-1")
    assert (queue.get(job_id).crashes, queue.get(job_id).losses) == (1, 0)


@pytest.mark.parametrize("cause", [Cause.SCALE_DOWN, Cause.WATCHDOG])
def test_a_death_by_order_costs_nothing(lab: Lab, queue: Queue, cause: Cause) -> None:
    lease = lab.running()
    assert queue.release("inc-1", cause) == 1
    job = queue.get(lease[0])
    assert (job.status, job.crashes, job.failures) == (Status.QUEUED, 0, 0)
    assert job.history[0].cause is cause


def test_returned_jobs_go_to_the_head_in_their_order(lab: Lab, queue: Queue) -> None:
    ids = lab.submit(5)
    lab.worker("inc-1")
    leases = lab.claim("inc-1", 4)
    queue.hand_back("inc-1", leases[2:], Cause.SCALE_DOWN)
    queue.release("inc-1")
    lab.worker("inc-2")
    # What a worker was lost with comes alone.
    claims = [[lease[0] for lease in lab.claim("inc-2", 9)] for _ in range(3)]
    assert claims == [ids[:1], ids[1:2], ids[2:]]
    job = queue.get(ids[3])
    assert (job.attempt, job.crashes, job.history) == (2, 0, ())


def test_expired_leases_are_swept(lab: Lab, queue: Queue) -> None:
    first, second = lab.submit(2)
    lab.worker("inc-1")
    queue.start("inc-1", lab.claim("inc-1", 2))
    lab.expire("inc-1")
    assert [queue.tick(limit=1).moved for _ in range(3)] == [1, 1, 0]
    assert queue.get(second).status is Status.QUEUED
    job = queue.get(first)
    assert (job.status, job.crashes) == (Status.QUEUED, 1)
    assert job.history[0].reason == "its lease ended"


@pytest.mark.parametrize("caller", ["tick", "claim", "renew", "finish"])
def test_after_a_gap_every_lease_first_gets_a_full_one(lab: Lab, queue: Queue, caller: str) -> None:
    lease = lab.running()
    lab.worker("inc-2", "worker-2")

    def look() -> None:
        if caller == "tick":
            queue.tick()
        elif caller == "claim":
            queue.claim("inc-2", 0, ["default"])
        elif caller == "renew":
            queue.renew("inc-2", [])
        else:
            queue.finish("inc-2", [])

    lab.expire("inc-1")
    lab.nobody_swept_for(0.6 * LEASE)
    look()
    look()
    assert queue.get(lease[0]).status is Status.RUNNING
    lab.end_grace()
    lab.nobody_swept_for(0.4 * LEASE)
    look()
    assert queue.get(lease[0]).status is Status.QUEUED


def test_a_renewed_lease_does_not_end(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    lab.expire("inc-1")
    assert queue.renew("inc-1", [lease]) == ([Verdict.OK], False, True)
    assert queue.tick().moved == 0
    assert queue.get(lease[0]).status is Status.RUNNING


def test_a_longer_lease_is_longer_at_once_for_who_has_one(lab: Lab, queue: Queue) -> None:
    """In a new cluster the worker is often there before the master that sets the lease."""
    lab.running("inc-1")
    lab.submit()
    assert lab.claim(lab.worker("inc-2", name="worker-2"))
    lab.expire("inc-2")

    def left() -> float:
        ends: Any = lab.redis.zscore(f"{lab.prefix}leases", "inc-1")
        return float(ends) - lab.now_ms()

    assert left() <= LEASE * 1000
    queue.configure(lease=10 * LEASE)
    assert left() > 9 * LEASE * 1000
    # Nobody gets back what has ended, and a shorter one counts from the next renewal on.
    assert queue.tick().moved == 1
    queue.configure(lease=LEASE)
    assert left() > 9 * LEASE * 1000


def test_a_claim_lost_with_its_reply_comes_back_at_no_cost(lab: Lab, queue: Queue) -> None:
    ids = lab.submit(3)
    lab.worker("inc-1")
    lost, fresh, known = lab.claim("inc-1", 3)
    lab.age_claim(lost[0])
    lab.age_claim(known[0])
    assert queue.renew("inc-1", [known]).verdicts == [Verdict.OK]
    statuses = [queue.get(job_id).status for job_id in ids]
    assert statuses == [Status.QUEUED, Status.CLAIMED, Status.CLAIMED]
    job = queue.get(lost[0])
    assert (job.crashes, job.failures, job.history) == (0, 0, ())
    assert queue.start("inc-1", [fresh]) == [Verdict.OK]


def test_a_running_job_is_never_taken_for_a_lost_claim(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    lab.age_claim(lease[0])
    queue.renew("inc-1", [])
    assert queue.get(lease[0]).status is Status.RUNNING


def test_a_new_incarnation_proves_the_old_one_dead(lab: Lab, queue: Queue) -> None:
    lease = lab.running("inc-1")
    lab.worker("inc-2")
    assert queue.get(lease[0]).crashes == 1
    assert not queue.renew("inc-1", []).known
    # A paused process that wakes up must not take the name back.
    with pytest.raises(Superseded):
        lab.worker("inc-1")
    assert [worker.incarnation for worker in queue.workers()] == ["inc-2"]


def test_registering_again_changes_nothing(lab: Lab, queue: Queue) -> None:
    lease = lab.running("inc-1")
    queue.drain("worker-1", None)
    lab.worker("inc-1")
    (worker,) = queue.workers()
    assert worker.jobs == (lease[0],)
    assert worker.status is WorkerStatus.DRAINING


def test_draining(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    lab.submit()
    queue.drain("worker-1", 7.5)
    assert queue.wait_message("inc-1", 1) == Message(MessageKind.DRAIN, grace=7.5)
    assert queue.wait_work(["default"], 1)
    assert queue.claim("inc-1", 5, ["default"]).jobs == []
    # What the draining worker did not take still wakes another one.
    assert queue.wait_work(["default"], 1)
    _, claims = queue.finish("inc-1", [], room=5, queues=["default"])
    assert claims.jobs == []
    assert queue.workers()[0].status is WorkerStatus.DRAINING
    assert queue.renew("inc-1", [lease]).draining
    said_again = queue.wait_message("inc-1", 1)
    assert said_again is not None
    assert said_again.grace is not None
    assert said_again.grace <= 7.5
    queue.finish("inc-1", [Finish(*lease, OK)])
    assert queue.workers()[0].status is WorkerStatus.DRAINED
    queue.undrain("worker-1")
    assert queue.wait_message("inc-1", 1) == Message(MessageKind.UNDRAIN)
    assert len(queue.claim("inc-1", 5, ["default"]).jobs) == 1
    with pytest.raises(UnknownWorker):
        queue.drain("worker-9", None)
    with pytest.raises(UnknownWorker):
        queue.undrain("worker-9")


def test_drain_without_a_limit_is_said_once(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    queue.drain("worker-1", None)
    assert queue.wait_message("inc-1", 1) == Message(MessageKind.DRAIN, grace=None)
    assert queue.renew("inc-1", []).draining
    assert queue.wait_message("inc-1", 0.01) is None


def test_a_silent_worker_is_lost_and_in_the_end_forgotten(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    assert queue.workers()[0].status is WorkerStatus.IDLE
    lab.silence("inc-1", leases=2)
    assert queue.workers()[0].status is WorkerStatus.LOST
    queue.tick()
    assert queue.workers()
    lab.silence("inc-1", leases=61)
    queue.tick()
    assert queue.workers() == []
    assert not queue.renew("inc-1", []).known
    lab.worker("inc-1")


def test_nobody_is_lost_right_after_a_gap(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    lab.silence("inc-1", leases=100)
    lab.nobody_swept_for(LEASE)
    queue.tick()
    assert queue.workers()[0].status is WorkerStatus.IDLE


def test_a_busy_worker_is_never_forgotten(lab: Lab, queue: Queue) -> None:
    lab.running()
    lab.silence("inc-1", leases=100)
    queue.tick()
    assert queue.workers()[0].status is WorkerStatus.LOST


def test_deregister_hands_back(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    queue.deregister("inc-1")
    assert queue.workers() == []
    job = queue.get(lease[0])
    assert (job.status, job.crashes) == (Status.QUEUED, 0)


def test_swept_jobs_go_to_the_head_in_their_order(lab: Lab, queue: Queue) -> None:
    ids = lab.submit(4)
    lab.worker("inc-1")
    lab.claim("inc-1", 3)
    lab.expire("inc-1")
    assert queue.tick().moved == 3
    assert [lab.claim("inc-1", 1)[0][0] for _ in ids] == ids


def test_nothing_wakes_a_worker_for_a_cancelled_job(lab: Lab, queue: Queue) -> None:
    (job_id,) = lab.submit()
    queue.cancel(job_id)
    assert not queue.wait_work(["default"], 0.01)


def test_a_renewal_never_shortens_a_lease(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    far = 9_999_999_999_999
    lab.redis.zadd(f"{lab.prefix}leases", {"inc-1": far})
    queue.renew("inc-1", [lease])
    assert lab.redis.zscore(f"{lab.prefix}leases", "inc-1") == far


def test_a_clock_that_was_set_back_hides_no_loss(lab: Lab, queue: Queue) -> None:
    job_id, _ = lab.running("inc-1")
    # As if all this had been written by a clock that was an hour ahead.
    lab.nobody_swept_for(-3600)
    lab.redis.zadd(f"{lab.prefix}leases", {"inc-1": lab.now_ms() + 3_600_000}, xx=True)
    lab.worker("inc-2", "worker-2")
    # Any living worker notices.
    queue.renew("inc-2", [])
    left = float(lab.redis.zscore(f"{lab.prefix}leases", "inc-1") or 0) - lab.now_ms()  # type: ignore[arg-type]
    assert left <= LEASE * 1000
    lab.end_grace()
    lab.expire("inc-1")
    queue.tick()
    assert queue.get(job_id).crashes == 1


def test_two_that_were_lost_together_need_not_be_lost_together_again(
    lab: Lab, queue: Queue
) -> None:
    bad, other, third = lab.submit(3)
    lab.claim(lab.worker("inc-1"), 2)
    queue.release("inc-1")
    # Nobody knows which of them it was; each comes alone, and not in store behind another.
    first, second = lab.worker("inc-1b"), lab.worker("inc-2", "worker-2")
    assert [job.id for job in queue.claim(first, 2, ["default"], prefetch=9).jobs] == [bad]
    assert queue.claim(second, 0, ["default"], prefetch=9).jobs == []
    # Whoever is awake finds that there is more.
    assert queue.wait_work(["default"], 1)
    assert [job.id for job in queue.claim(second, 2, ["default"]).jobs] == [other]
    queue.release(first)
    assert queue.get(other).losses == 1
    # A fresh one before it does not take it along either.
    queue.hand_back(second, [(other, 2)], None)
    assert [job.id for job in queue.claim(second, 9, ["default"]).jobs] == [other]
    assert [job.id for job in queue.claim(second, 9, ["default"]).jobs] == [bad]
    assert [job.id for job in queue.claim(second, 9, ["default"]).jobs] == [third]


def test_what_takes_workers_down_takes_no_neighbours_with_it(lab: Lab, queue: Queue) -> None:
    bad, *others = lab.submit(100)
    for lost in range(3):
        worker = lab.worker(f"inc-{lost}")
        jobs = queue.claim(worker, 1, ["default"], prefetch=256).jobs
        assert jobs[0].id == bad
        queue.start(worker, [(bad, jobs[0].attempt)])
        queue.release(worker)
    assert queue.get(bad).status is Status.FAILED
    # The first time some waited beside it. From then on they run, one by one.
    assert {(job.crashes, job.losses) for job in queue.get_many(others) if job} == {(0, 1)}
    worker = lab.worker("inc-9")
    jobs = queue.claim(worker, 1, ["default"], prefetch=256).jobs
    for other in others:
        assert [job.id for job in jobs] == [other]
        end = Finish(jobs[0].id, jobs[0].attempt, OK)
        jobs = queue.finish(worker, [end], room=1, queues=["default"], prefetch=256)[1].jobs
