"""One exchange with the queue: ends go in, jobs come out. Knows no threads and no retries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobctl.queue import Cause, Claims, Finish, Outcome, Verdict

from .attempt import Attempt
from .journal import Journal
from .lane import Ended
from .reporter import Reporter
from .workqueue import WorkQueue


@dataclass(frozen=True)
class Wanted:
    """What a claim asks for: jobs that can run now, and others to hold for them."""

    room: int
    prefetch: int
    queues: Sequence[str]


@dataclass
class Delivery:
    """Tells the queue how attempts ended. Every call may raise QueueError, and be repeated."""

    queue: WorkQueue
    incarnation: str
    reporter: Reporter
    journal: Journal
    own_queue: str | None = None
    """Looked into last, and only with empty hands: a call that ends jobs costs what it cost."""

    def exchange(self, ends: Sequence[Ended], wanted: Wanted | None) -> Claims | None:
        """Tells all ends and then claims, in one call if it can be; None if nothing was asked.

        The claim is the last that can fail: jobs that came with it are never lost here.
        """
        mine: list[Attempt] = []
        finishes: list[Finish] = []
        begun: list[Attempt] = []
        unbegun: list[Attempt] = []
        # Thousands of short jobs a second succeed: that is told by the queue alone.
        loud: list[tuple[Attempt, Outcome]] = []
        for attempt, (outcome, started_at, _) in ends:
            if attempt.order is not None and attempt.lost:
                self._say("job-lost", attempt)
                continue
            mine.append(attempt)
            if outcome is None:
                (unbegun if started_at is None else begun).append(attempt)
            else:
                finishes.append(Finish(*attempt.fence, outcome, started_at))
                if attempt.start_logged or not outcome.succeeded:
                    loud.append((attempt, outcome))
        if mine:
            self.reporter.settle(mine)
        if begun:
            self._hand_back(begun, Cause.SCALE_DOWN)
        if unbegun:
            self._hand_back(unbegun, None)
        verdicts, claims = self._finish_and_claim(finishes, wanted)
        refused: dict[str, Verdict] = {}
        if verdicts.count(Verdict.OK) < len(verdicts):
            refused = {
                finish.id: verdict
                for finish, verdict in zip(finishes, verdicts, strict=True)
                if verdict is not Verdict.OK
            }
        for attempt, outcome in loud:
            if attempt.job.id not in refused:
                self._say("job-finished", attempt, **_facts(outcome))
        for job_id, verdict in refused.items():
            self.journal("end-refused", job=job_id, verdict=verdict)
        self.reporter.forget([attempt for attempt, _ in ends])
        return claims

    def _finish_and_claim(
        self, finishes: list[Finish], wanted: Wanted | None
    ) -> tuple[list[Verdict], Claims | None]:
        me = self.incarnation
        if wanted is None:
            return (self.queue.finish(me, finishes)[0] if finishes else []), None
        room, prefetch, queues = wanted.room, wanted.prefetch, wanted.queues
        if not finishes:
            own = () if self.own_queue is None else (self.own_queue,)
            return [], self.queue.claim(me, room, (*queues, *own), prefetch=prefetch)
        return self.queue.finish(me, finishes, room=room, prefetch=prefetch, queues=queues)

    def _hand_back(self, backs: list[Attempt], cause: Cause | None) -> None:
        self.queue.hand_back(self.incarnation, [attempt.fence for attempt in backs], cause)
        # One line: hundreds may go back at once that were only held in advance.
        self._say("job-handed-back", backs[0], and_others=len(backs) - 1 or None)

    def _say(self, event: str, attempt: Attempt, **facts: object) -> None:
        self.journal(event, job=attempt.job.id, attempt=attempt.job.attempt, **facts)


def _facts(outcome: Outcome) -> dict[str, object]:
    return {
        "succeeded": outcome.succeeded,
        "cause": outcome.cause,
        "exit": outcome.exit_code,
        "signal": outcome.signal,
    }
