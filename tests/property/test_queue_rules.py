"""The queue's promises one by one, on a real Redis."""

from __future__ import annotations

from dataclasses import fields

import pytest

from jobctl.queue import (
    Backoff,
    Cause,
    Finish,
    JobSpec,
    Message,
    MessageKind,
    Outcome,
    Queue,
    Status,
    UnknownJob,
    Verdict,
    WrongStatus,
    new_id,
)
from tests.support.queue_lab import FAILED, OK, Lab

MISSING = "0" * 26


def test_a_job_comes_out_as_it_went_in(lab: Lab, queue: Queue) -> None:
    spec = JobSpec(
        id=new_id(),
        argv=("sh", "-c", "echo \udcff é"),
        name="all of it",
        env={"A": "1", "B": "ü"},
        stdin=b"\0\xff",
        timeout=1.5,
        grace=0,
        max_attempts=3,
        backoff=Backoff(0.5, 9, 0),
        array=new_id(),
        array_index=0,
        array_size=1,
    )
    queue.submit([spec])
    lab.worker("inc-1")
    job = queue.get(spec.id)
    told = {field.name: getattr(spec, field.name) for field in fields(spec)}
    asked = {name: value for name, value in told.items() if name not in {"delay", "at"}}
    assert {name: getattr(job, name) for name in asked} == asked
    (claimed,) = queue.claim("inc-1", 1, ["default"]).jobs
    same = {name for name in told if hasattr(claimed, name)}
    assert same >= {"argv", "env", "stdin", "timeout", "grace", "name", "queue", "array"}
    assert {name: getattr(claimed, name) for name in same} == {n: told[n] for n in same}


def test_submit_is_repeatable_by_id(queue: Queue) -> None:
    spec = JobSpec(id=new_id(), argv=("true",))
    assert [s.created for s in queue.submit([spec, spec])] == [True, False]
    assert [s.created for s in queue.submit([spec])] == [False]
    assert queue.counts()[Status.QUEUED] == 1


def test_claims_are_first_in_first_out_and_in_the_order_of_queues(lab: Lab, queue: Queue) -> None:
    first = lab.submit(2)
    urgent = lab.submit(1, queue="urgent")
    lab.worker("inc-1")
    jobs = queue.claim("inc-1", 9, ["urgent", "default"]).jobs
    assert [job.id for job in jobs] == [*urgent, *first]
    assert {job.attempt for job in jobs} == {1}


def test_reports_show_at_once_and_the_checkpoint_lives_on(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    report = queue.report(*lease, step="half", progress=50, checkpoint='{"at": 1}')
    assert report is Verdict.OK
    job = queue.get(lease[0])
    assert (job.step, job.progress, job.checkpoint) == ("half", 50, '{"at": 1}')
    queue.report(*lease, progress=60.5)
    assert queue.get(lease[0]).step == "half"
    queue.release("inc-1")
    lab.worker("inc-2")
    (again,) = queue.claim("inc-2", 1, ["default"]).jobs
    assert again.checkpoint == '{"at": 1}'
    job = queue.get(lease[0])
    assert (job.step, job.progress, job.checkpoint) == ("", None, '{"at": 1}')


def test_what_a_job_prints_can_always_be_stored(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    queue.report(*lease, step="\ud800" + "x" * 999, progress=float("nan"), checkpoint='"\ud800"')
    job = queue.get(lease[0])
    assert len(job.step) == 200
    assert job.progress is None
    queue.report(*lease, progress=1e9)
    assert queue.get(lease[0]).progress == 100


def test_the_end_tells_what_happened(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    outcome = Outcome(False, Cause.SIGNAL, signal=11, reason="segmentation fault")
    queue.finish("inc-1", [Finish(*lease, outcome)])
    job = queue.get(lease[0])
    assert job.status is Status.FAILED
    assert (job.cause, job.signal, job.exit_code) == (Cause.SIGNAL, 11, None)
    assert (job.reason, job.accepted, job.failures) == ("segmentation fault", 1, 1)
    assert job.history == ()
    assert job.finished_at is not None


def test_a_short_job_starts_with_its_finish(lab: Lab, queue: Queue) -> None:
    lab.submit()
    lab.worker("inc-1")
    (lease,) = lab.claim("inc-1")
    queue.finish("inc-1", [Finish(*lease, OK, started_at=1234)])
    job = queue.get(lease[0])
    assert (job.started_at, job.status) == (1234, Status.SUCCEEDED)


def test_failures_wait_longer_and_longer(lab: Lab, queue: Queue) -> None:
    lab.submit(1, max_attempts=4, backoff=Backoff(base=10, cap=25, jitter=0.1))
    lab.worker("inc-1")
    waits = []
    for _ in range(3):
        (lease,) = lab.claim("inc-1")
        queue.finish("inc-1", [Finish(*lease, FAILED)])
        job = queue.get(lease[0])
        assert job.status is Status.SCHEDULED
        assert job.due_at is not None
        assert job.history[-1].ended_at is not None
        waits.append((job.due_at - job.history[-1].ended_at) / 1000)
        lab.make_due(job.id)
        queue.tick()
    for wait, expected in zip(waits, (10, 20, 25), strict=True):
        assert 0.9 * expected <= wait <= 1.1 * expected
    (lease,) = lab.claim("inc-1")
    queue.finish("inc-1", [Finish(*lease, FAILED)])
    job = queue.get(lease[0])
    assert (job.status, job.failures, job.attempt) == (Status.FAILED, 4, 4)
    assert [entry.attempt for entry in job.history] == [1, 2, 3]


def test_jobs_that_failed_together_are_not_due_together(lab: Lab, queue: Queue) -> None:
    lab.submit(20, max_attempts=2, backoff=Backoff(base=10, cap=10, jitter=0.5))
    lab.worker("inc-1")
    leases = lab.claim("inc-1", 20)
    queue.finish("inc-1", [Finish(*lease, FAILED) for lease in leases])
    jobs = [queue.get(job_id) for job_id, _ in leases]
    waits = [((job.due_at or 0) - (job.history[-1].ended_at or 0)) / 1000 for job in jobs]
    assert all(5 <= wait <= 15 for wait in waits)
    assert len(set(waits)) > 10
    assert min(waits) < 10 < max(waits)


def test_a_repeated_finish_is_acknowledged_and_counts_once(lab: Lab, queue: Queue) -> None:
    lease = lab.running(max_attempts=2)
    for _ in range(2):
        assert queue.finish("inc-1", [Finish(*lease, FAILED)])[0] == [Verdict.OK]
    job = queue.get(lease[0])
    assert (job.status, job.failures) == (Status.SCHEDULED, 1)


def test_the_fence(lab: Lab, queue: Queue) -> None:
    old = lab.running()
    queue.release("inc-1")
    lab.worker("inc-2", "worker-2")
    (new,) = lab.claim("inc-2")
    assert new == (old[0], 2)
    assert queue.start("inc-1", [old]) == [Verdict.STALE]
    assert queue.report(*old, progress=99) is Verdict.STALE
    assert queue.renew("inc-1", [old]).verdicts == [Verdict.STALE]
    assert queue.hand_back("inc-1", [old], Cause.SCALE_DOWN) == [Verdict.STALE]
    assert queue.finish("inc-1", [Finish(*old, OK)])[0] == [Verdict.STALE]
    job = queue.get(old[0])
    assert (job.status, job.incarnation, job.progress) == (Status.CLAIMED, "inc-2", None)
    assert queue.start("inc-2", [(MISSING, 1), new]) == [Verdict.MISSING, Verdict.OK]
    assert queue.report(MISSING, 1, progress=1) is Verdict.MISSING
    assert queue.finish("inc-2", [Finish(MISSING, 1, OK)])[0] == [Verdict.MISSING]


def test_cancel_before_the_start_is_immediate(lab: Lab, queue: Queue) -> None:
    (waiting,) = lab.submit()
    assert queue.cancel(waiting).status is Status.CANCELLED
    lab.submit()
    lab.worker("inc-1")
    (lease,) = lab.claim("inc-1")
    assert queue.cancel(lease[0]).cause is Cause.CANCELLED
    assert queue.wait_message("inc-1", 1) == Message(MessageKind.CANCEL, lease[0], 1)
    assert queue.start("inc-1", [lease]) == [Verdict.STALE]
    with pytest.raises(WrongStatus):
        queue.cancel(waiting)
    with pytest.raises(UnknownJob):
        queue.cancel(MISSING)


def test_a_job_cancelled_between_two_attempts_does_not_end_of_the_first(
    lab: Lab, queue: Queue
) -> None:
    lease = lab.running(max_attempts=2)
    outcome = Outcome(False, Cause.EXIT, exit_code=3, reason="ValueError: no")
    queue.finish("inc-1", [Finish(*lease, outcome)])
    assert queue.get(lease[0]).status is Status.SCHEDULED
    job = queue.cancel(lease[0])
    assert (job.cause, job.exit_code, job.reason) == (Cause.CANCELLED, None, "")
    assert (job.history[0].exit_code, job.history[0].reason) == (3, "ValueError: no")


def test_cancel_of_a_running_job_is_its_workers_work(lab: Lab, queue: Queue) -> None:
    lease = lab.running(max_attempts=5)
    job = queue.cancel(lease[0])
    assert (job.status, job.cancelling) == (Status.RUNNING, True)
    assert queue.wait_message("inc-1", 1) == Message(MessageKind.CANCEL, lease[0], 1)
    # That message may have been lost with the connection: the heartbeat brings it again.
    queue.renew("inc-1", [lease])
    queue.renew("inc-1", [lease])
    assert queue.wait_message("inc-1", 1) == Message(MessageKind.CANCEL, lease[0], 1)
    assert queue.wait_message("inc-1", 0.01) is None
    outcome = Outcome(False, Cause.SIGNAL, signal=15)
    queue.finish("inc-1", [Finish(*lease, outcome)])
    job = queue.get(lease[0])
    assert (job.status, job.cause, job.signal) == (Status.CANCELLED, Cause.CANCELLED, 15)
    assert (job.accepted, job.failures, job.cancelling) == (1, 0, False)


def test_a_success_that_arrives_wins_over_a_cancel(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    queue.cancel(lease[0])
    queue.finish("inc-1", [Finish(*lease, OK)])
    job = queue.get(lease[0])
    assert (job.status, job.cause) == (Status.SUCCEEDED, None)


def test_a_cancelled_job_does_not_come_back_when_its_worker_is_lost(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    queue.cancel(lease[0])
    queue.release("inc-1")
    job = queue.get(lease[0])
    assert (job.status, job.cause, job.accepted) == (Status.CANCELLED, Cause.CANCELLED, None)


def test_retry_opens_a_new_run(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    queue.report(*lease, checkpoint="1", step="s", progress=5)
    with pytest.raises(WrongStatus):
        queue.retry(lease[0])
    queue.finish("inc-1", [Finish(*lease, Outcome(False, Cause.OOM))])
    job = queue.retry(lease[0])
    assert (job.status, job.run, job.attempt) == (Status.QUEUED, 2, 1)
    assert (job.failures, job.cause, job.accepted, job.finished_at) == (0, None, None, None)
    assert (job.step, job.progress, job.checkpoint) == ("", None, "1")
    assert [(entry.attempt, entry.cause) for entry in job.history] == [(1, Cause.OOM)]
    (again,) = lab.claim("inc-1")
    assert again == (lease[0], 2)
    queue.finish("inc-1", [Finish(*again, OK)])
    job = queue.retry(lease[0])
    assert (job.run, job.checkpoint) == (3, "")
    with pytest.raises(UnknownJob):
        queue.retry(MISSING)


def test_history_is_bounded(lab: Lab, queue: Queue) -> None:
    (job_id,) = lab.submit()
    for number in range(25):
        lab.worker(f"inc-{number}")
        queue.start(f"inc-{number}", lab.claim(f"inc-{number}"))
        queue.deregister(f"inc-{number}")
    assert [entry.attempt for entry in queue.get(job_id).history] == [*range(6, 26)]


def test_listing_pages_newest_first(lab: Lab, queue: Queue) -> None:
    ids = lab.submit(3) + lab.submit(2, name="twin") + lab.submit(2)
    lab.worker("inc-1")
    lab.claim("inc-1", 4)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = queue.list(limit=3, cursor=cursor)
        seen += [job.id for job in page.jobs]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == ids[::-1]
    assert [job.id for job in queue.list(Status.CLAIMED).jobs] == ids[3::-1]
    assert [job.id for job in queue.list(name="twin").jobs] == [ids[4], ids[3]]
    assert [job.id for job in queue.list(Status.QUEUED, name="twin").jobs] == [ids[4]]
    both = queue.list([Status.CLAIMED, Status.QUEUED], limit=7)
    assert (len(both.jobs), both.cursor) == (7, None)
    assert queue.list(name="nobody") == ([], None)
    assert [job and job.id for job in queue.get_many([ids[0], MISSING])] == [ids[0], None]
    with pytest.raises(UnknownJob):
        queue.get(MISSING)


def test_a_big_batch_is_one_event_and_64_tokens(lab: Lab, queue: Queue) -> None:
    ids = lab.submit(500)
    (event,) = queue.events("0", block=0.01)
    assert [transition.id for transition in event.transitions] == ids
    assert lab.redis.llen(f"{lab.prefix}wake:default") == 64
    lab.worker("inc-1")
    # One call claims no more than 256.
    claimed = [len(lab.claim("inc-1", 500)) for _ in range(3)]
    assert claimed == [256, 244, 0]
    assert queue.release("inc-1") == 500
    lab.worker("inc-2")
    # In their order, and each by itself: any of them may be why the worker was lost.
    leases = [lab.claim("inc-2", 500) for _ in ids]
    assert [lease[0] for (lease,) in leases] == ids


def test_events_resume_after_an_id(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    first, second, _ = queue.events("0", block=0.01)
    queue.finish("inc-1", [Finish(*lease, FAILED)])
    later = queue.events(second.id, block=0.01)
    assert first.id < second.id < later[0].id
    assert [t.status for e in later for t in e.transitions] == [Status.RUNNING, Status.FAILED]
    end = later[-1].transitions[0]
    assert (end.was, end.worker, end.cause) == (Status.RUNNING, "worker-1", Cause.EXIT)
    assert queue.events(later[-1].id, block=0.01) == []


def test_verdicts_come_in_the_order_asked(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    asked = [(MISSING, 1), lease, (lease[0], 9)]
    expected = [Verdict.MISSING, Verdict.OK, Verdict.STALE]
    assert queue.renew("inc-1", asked).verdicts == expected
    assert queue.hand_back("inc-1", asked, Cause.SCALE_DOWN) == expected
