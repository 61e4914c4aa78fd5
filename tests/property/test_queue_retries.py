"""What a job's own rules make of its failures."""

from __future__ import annotations

from typing import Any

import pytest

from jobctl.queue import Cause, Finish, Job, Outcome, Queue
from tests.support.queue_lab import Lab


def end(lab: Lab, outcome: Outcome, **fields: Any) -> Job:
    """A job that ended like that, once."""
    lease = lab.running(**fields)
    lab.queue.finish("inc-1", [Finish(*lease, outcome)])
    return lab.queue.get(lease[0])


def exited(code: int) -> Outcome:
    return Outcome(False, Cause.EXIT, exit_code=code)


OOM = Outcome(False, Cause.OOM)
BY_CODE = {"exit": {"75": "retry", "64": "fail", "1": {"queue": "big"}, "default": "fail"}}


@pytest.mark.parametrize(
    ("rules", "outcome", "status", "queue"),
    [
        ({}, exited(1), "scheduled", "default"),
        ({"exit": "fail"}, exited(1), "failed", "default"),
        ({"exit": "fail"}, OOM, "scheduled", "default"),
        ({"oom": {"queue": "big"}}, OOM, "scheduled", "big"),
        ({"oom": {"queue": "big"}}, exited(1), "scheduled", "default"),
        ({"exit": {"queue": "big"}}, exited(9), "scheduled", "big"),
        (BY_CODE, exited(75), "scheduled", "default"),
        (BY_CODE, exited(64), "failed", "default"),
        (BY_CODE, exited(1), "scheduled", "big"),
        (BY_CODE, exited(2), "failed", "default"),
        ({"exit": {"64": "fail"}}, exited(2), "scheduled", "default"),
        ({"timeout": "retry"}, Outcome(False, Cause.TIMEOUT), "scheduled", "default"),
        ({"exit": "retry"}, Outcome(False, Cause.REJECTED), "failed", "default"),
    ],
)
def test_a_rule_decides(
    lab: Lab, rules: dict[str, Any], outcome: Outcome, status: str, queue: str
) -> None:
    job = end(lab, outcome, max_attempts=3, retry_on=rules)
    assert (job.status, job.queue, job.failures) == (status, queue, 1)


def test_every_retry_counts(lab: Lab, queue: Queue) -> None:
    job = end(lab, OOM, max_attempts=2, retry_on={"oom": {"queue": "big"}})
    lab.make_due(job.id)
    queue.tick()
    (again,) = queue.claim("inc-1", 1, ["default", "big"]).jobs
    assert (again.queue, again.attempt) == ("big", 2)
    queue.finish("inc-1", [Finish(again.id, again.attempt, OOM)])
    job = queue.get(job.id)
    assert (job.status, job.failures, job.queue) == ("failed", 2, "big")
    # It moved for good.
    assert queue.retry(job.id).queue == "big"


def test_a_lost_worker_is_no_failure_of_the_job(lab: Lab, queue: Queue) -> None:
    lease = lab.running(max_attempts=2, retry_on={"signal": "fail"})
    queue.release("inc-1")
    job = queue.get(lease[0])
    assert (job.status, job.failures, job.crashes) == ("queued", 0, 1)
