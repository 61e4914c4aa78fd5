"""Plain functions come in shared rows and end together: none of it shows on a single job."""

from __future__ import annotations

from typing import Any

from jobctl.queue import Cause, Finish, JobSpec, Outcome, Queue, Status, Verdict, new_id
from jobctl.queue.events import Transitions
from jobctl.queue.library import function_name
from jobctl.queue.model import ClaimedJob
from tests.support.queue_lab import FAILED, OK, Lab


def _plain(function: str = "m:f", **fields: Any) -> JobSpec:
    return JobSpec(id=new_id(), function=function, **fields)


def _claimed(lab: Lab, *specs: JobSpec) -> list[ClaimedJob]:
    """What the first ends of a worker's bring it: the way of a worker that is at work."""
    incarnation = lab.worker("inc-1")
    lab.queue.submit([_plain()])
    [first] = lab.claim(incarnation)
    lab.queue.submit(specs)
    verdicts, claims = lab.queue.finish(
        incarnation, [Finish(*first, OK, 1)], room=len(specs), queues=["default", "other"]
    )
    assert verdicts == [Verdict.OK]
    return claims.jobs


def test_rows_keep_the_order_and_all_that_is_special(lab: Lab) -> None:
    specs = [
        _plain(args="[1]"),
        _plain(),
        _plain(timeout=5.0),
        _plain(args='{"a": 1}'),
        _plain("m:g"),
        JobSpec(id=new_id(), argv=("true",)),
        _plain(),
        _plain(queue="other"),
    ]
    jobs = _claimed(lab, *specs)
    assert [(j.id, j.queue, j.function, j.args, j.timeout, j.argv) for j in jobs] == [
        (s.id, s.queue, s.function, s.args, s.timeout, s.argv) for s in specs
    ]
    assert [job.attempt for job in jobs] == [1] * len(specs)
    assert lab.queue.counts()[Status.CLAIMED] == len(specs)
    assert {job.id for job in lab.queue.list(Status.CLAIMED).jobs} == {s.id for s in specs}


def test_whatever_became_of_some_the_others_end_as_they_should(lab: Lab, queue: Queue) -> None:
    jobs = _claimed(lab, *(_plain() for _ in range(4)))
    renewed, running, given, cancelled = (job.id for job in jobs)
    # From now on their hashes say that they are claimed; of those that follow only the list does.
    queue.renew("inc-1", [(job.id, 1) for job in jobs])
    queue.start("inc-1", [(running, 1)])
    queue.hand_back("inc-1", [(given, 1)], None)
    queue.cancel(cancelled)
    queue.pause("default")
    lab.queue.submit([_plain(queue="other") for _ in range(4)])
    jobs += queue.claim("inc-1", 4, ["other"]).jobs
    ended, twice, failed, gone = (job.id for job in jobs[4:])
    notes: Any = lab.redis.hmget(f"{lab.prefix}held:inc-1", [ended, twice])
    assert [note[1] for note in notes] == ["c", "c"]
    ids = [ended, renewed, running, twice, twice, failed, gone, given, cancelled]
    outcomes = {failed: FAILED, gone: Outcome(False, Cause.WORKER_LOST)}
    finishes = [Finish(i, 1, outcomes.get(i, OK), 1000) for i in ids]
    finishes.append(Finish(new_id(), 1, OK, 1000))
    verdicts, claims = queue.finish("inc-1", finishes)
    assert verdicts == [*[Verdict.OK] * 7, Verdict.STALE, Verdict.STALE, Verdict.MISSING]
    assert claims.jobs == []
    found = {job.id: job for job in queue.get_many([job.id for job in jobs]) if job is not None}
    for job_id in (ended, renewed, running, twice):
        job = found[job_id]
        assert (job.status, job.attempt, job.accepted) == (Status.SUCCEEDED, 1, 1)
        assert (job.worker, job.started_at, job.exit_code) == ("worker-1", 1000, 0)
    assert found[failed].status == Status.FAILED
    assert (found[gone].status, found[gone].losses) == (Status.QUEUED, 0)
    assert (found[given].status, found[given].attempt) == (Status.QUEUED, 1)
    assert found[cancelled].status == Status.CANCELLED
    assert queue.counts()[Status.SUCCEEDED] == 5
    assert queue.counts()[Status.QUEUED] == 2
    # Said twice or not, each was accepted once.
    entries: Any = lab.redis.xrange(f"{lab.prefix}events")
    said = [
        step.id
        for _, fields in entries
        for step in Transitions(fields)
        if step.status is Status.SUCCEEDED
    ]
    assert sorted(said[1:]) == sorted([ended, renewed, running, twice])


def test_who_holds_them_no_more_ends_none(lab: Lab, queue: Queue) -> None:
    jobs = _claimed(lab, *(_plain() for _ in range(3)))
    lab.worker("inc-2")
    verdicts, _ = queue.finish("inc-1", [Finish(job.id, 1, OK, 1000) for job in jobs])
    assert verdicts == [Verdict.STALE] * 3
    assert queue.counts()[Status.QUEUED] == 3


def test_a_success_that_runs_again_is_remembered_whole(lab: Lab, queue: Queue) -> None:
    [job] = _claimed(lab, _plain())
    queue.finish("inc-1", [Finish(job.id, 1, OK, 1000)])
    queue.retry(job.id)
    again = queue.get(job.id)
    assert again is not None
    assert (again.status, again.exit_code) == (Status.QUEUED, None)
    assert [(a.attempt, a.exit_code) for a in again.history] == [(1, 0)]


def test_a_worker_of_an_older_version_is_understood(lab: Lab) -> None:
    """It says five words of each success, and reads four of each plain job."""
    jobs = _claimed(lab, _plain(args="[1]"), _plain())
    lab.queue.submit([waiting := _plain(args="[2]"), _plain()])
    words: list[Any] = ["inc-1", 2, 0, 1, "default", 2]
    for job, result in zip(jobs, ("", "7"), strict=True):
        words += [job.id, 1, 1000, 0, result]
    verdicts, (due, rows) = lab.redis.execute_command(  # type: ignore[no-untyped-call]
        "FCALL", function_name("finish"), 1, lab.prefix, *words
    )
    assert (verdicts, due) == ("", "")
    assert rows[0] == [waiting.id, "default", "m:f", "[2]"]
    assert len(rows) == 2
    found = lab.queue.get_many([job.id for job in jobs])
    assert [job and (job.status, job.result) for job in found] == [
        (Status.SUCCEEDED, ""),
        (Status.SUCCEEDED, "7"),
    ]


def test_what_is_handed_over_as_it_comes_in_is_in_no_index_of_the_queued(
    lab: Lab, queue: Queue
) -> None:
    lab.worker("inc-1")
    assert queue.wait_jobs("inc-1", 2, ["default"], 0.01) is None
    specs = [_plain(args="[1]"), _plain("m:g"), _plain()]
    queue.submit(specs)
    claims = queue.wait_jobs("inc-1", 0, ["nothing"], 0.01)
    assert claims is not None
    assert [(job.id, job.args) for job in claims.jobs] == [(specs[0].id, "[1]"), (specs[1].id, "")]
    assert [job.id for job in queue.list(Status.QUEUED).jobs] == [specs[2].id]
    assert queue.counts()[Status.CLAIMED] == 2
