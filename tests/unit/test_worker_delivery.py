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
    ("job", "outcome", "ran_ms", "told"),
    [
        (a_job("true"), SUCCESS, 5, False),
        (a_job("make"), SUCCESS, 5_000, True),
        (a_job("false"), FAILURE, 5, True),
        (a_job(function="m:f"), SUCCESS, 5_000, False),
        (a_job(function="m:f"), FAILURE, 5, True),
    ],
)
def test_short_jobs_that_succeed_are_told_by_the_queue_alone(
    job: ClaimedJob, outcome: Outcome, ran_ms: int, told: bool
) -> None:
    lines: list[str] = []

    def journal(event: str, /, **facts: object) -> None:
        lines.append(f"{event} {facts['job']}")

    queue = MemoryQueue()
    queue.known.add("me")
    queue.held[job.id] = job
    began = time.time_ns() // 1_000_000 - ran_ms
    delivery = Delivery(queue, "me", Reporter(queue, "me"), journal)
    delivery.exchange([(Attempt(job), Result(outcome, began))], None)
    assert (f"job-finished {job.id}" in lines) is told
