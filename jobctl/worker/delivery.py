"""Telling the queue how an attempt ended, for as long as it takes Redis to listen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from jobctl.queue import Cause, Finish, Job, Outcome, QueueError

from .attempt import Attempt
from .journal import Journal
from .pauses import pauses
from .reporter import Reporter
from .runner import Result
from .workqueue import WorkQueue


@dataclass
class Delivery:
    """Ends attempts in the queue. `may_claim` says whether a further job is welcome."""

    queue: WorkQueue
    incarnation: str
    queues: tuple[str, ...]
    reporter: Reporter
    journal: Journal
    may_claim: Callable[[], bool]
    # Set when the worker itself has no more time; its leases then simply run out.
    give_up: threading.Event = field(default_factory=threading.Event)

    def deliver(self, attempt: Attempt, result: Result) -> Job | None:
        """Blocks until the queue knows. Returns the next job, claimed in the same call."""
        try:
            for pause in pauses():
                if attempt.lost:
                    self.journal("job-lost", job=attempt.job.id, attempt=attempt.job.attempt)
                    return None
                try:
                    return self._tell(attempt, result)
                except QueueError as error:
                    if self.give_up.wait(pause):
                        self.journal("result-not-delivered", job=attempt.job.id, reason=error)
                        return None
        finally:
            self.reporter.forget(attempt)
        raise AssertionError("pauses never end")

    def _tell(self, attempt: Attempt, result: Result) -> Job | None:
        self.reporter.settle(attempt)
        if result.outcome is None:
            verdicts = self.queue.hand_back(self.incarnation, [attempt.fence], Cause.SCALE_DOWN)
            self._say("job-handed-back", attempt, verdict=verdicts[0])
            return None
        finish = Finish(*attempt.fence, result.outcome, result.started_at)
        verdicts, jobs = self.queue.finish(
            self.incarnation, [finish], claim=int(self.may_claim()), queues=self.queues
        )
        self._say("job-finished", attempt, verdict=verdicts[0], **_facts(result.outcome))
        return jobs[0] if jobs else None

    def _say(self, event: str, attempt: Attempt, **facts: object) -> None:
        self.journal(event, job=attempt.job.id, attempt=attempt.job.attempt, **facts)


def _facts(outcome: Outcome) -> dict[str, object]:
    return {
        "succeeded": outcome.succeeded,
        "cause": outcome.cause,
        "exit": outcome.exit_code,
        "signal": outcome.signal,
    }
