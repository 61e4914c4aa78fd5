"""What tests of a slot's commands do with its lane."""

import time

from jobctl.queue import ClaimedJob, Outcome
from jobctl.worker.attempt import Attempt
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import Ended
from jobctl.worker.prefetch import MAX_COMMANDS
from tests.support.worker_queue import a_job

OK = Outcome(True, exit_code=0)


class Deaf:
    """A listener that does not care."""

    def started(self, attempt: Attempt) -> None: ...
    def note(self, attempt: Attempt, report: object) -> None: ...


def run_all(lane: CommandLane, *jobs: ClaimedJob) -> list[Ended]:
    """Run these as one batch; their ends in the order in which they were told."""
    ends: list[Ended] = []
    attempts = [Attempt(job) for job in jobs]
    lane.run(attempts, ends.extend)
    for attempt in attempts:
        attempt.close()
    return ends


def settle(lane: CommandLane) -> None:
    """Run short jobs until the launcher knows all spare folders."""
    until = time.monotonic() + 30
    while len(lane._station.launcher._spares) < MAX_COMMANDS:
        assert time.monotonic() < until
        ends = run_all(lane, *(a_job("true") for _ in range(MAX_COMMANDS)))
        assert all(result.outcome == OK for _, result in ends)
