"""Which ends get a line in the worker's own log."""

import time

import pytest

from jobctl.queue import Cause, ClaimedJob, Outcome
from jobctl.worker.attempt import Attempt
from jobctl.worker.delivery import Delivery
from jobctl.worker.lane import Result
from jobctl.worker.reporter import Reporter
from tests.support.worker_queue import MemoryQueue, a_job

SUCCESS = Outcome(True, exit_code=0)
FAILURE = Outcome(False, Cause.EXIT, exit_code=1)


@pytest.mark.parametrize(
    ("job", "outcome", "start_logged", "told"),
    [
        (a_job("true"), SUCCESS, False, False),
        (a_job("make"), SUCCESS, True, True),
        (a_job("false"), FAILURE, False, True),
        (a_job(function="m:f"), SUCCESS, False, False),
        (a_job(function="m:f"), FAILURE, False, True),
    ],
)
def test_short_jobs_that_succeed_are_told_by_the_queue_alone(
    job: ClaimedJob, outcome: Outcome, start_logged: bool, told: bool
) -> None:
    lines: list[str] = []

    def journal(event: str, /, **facts: object) -> None:
        lines.append(f"{event} {facts['job']}")

    queue = MemoryQueue()
    queue.known.add("me")
    queue.held[job.id] = job
    attempt = Attempt(job)
    attempt.start_logged = start_logged
    # However late the end is told: a busy machine takes its time.
    began = time.time_ns() // 1_000_000 - 5_000
    delivery = Delivery(queue, "me", Reporter(queue, "me"), journal)
    delivery.exchange([(attempt, Result(outcome, began))], None)
    assert (f"job-finished {job.id}" in lines) is told
