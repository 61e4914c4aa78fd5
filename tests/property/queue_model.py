"""The queue as a few lines of Python: what the real one is compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jobctl.queue import Cause, Outcome, Status, Verdict
from jobctl.queue.spec import RetryRule
from jobctl.queue.status import FAILURES, LOSSES, MAX_CRASHES, MAX_LOSSES
from tests.property.queue_model_flow import Flow
from tests.property.queue_model_places import ModelJob


class Model(Flow):
    """What workers (incarnation -> draining), users and time do."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, str] = {}
        self.draining: dict[str, bool] = {}
        self.overdue: set[str] = set()
        """Whose time to drain is over: what they hold costs nothing any more."""
        self.waits: dict[str, tuple[int, list[str]]] = {}
        self.unread: dict[str, list[tuple[str, int]]] = {}
        """What was handed to workers that have not read it."""

    def register(self, name: str, incarnation: str) -> None:
        current = self.names.get(name)
        if current is not None and current != incarnation:
            self.release(current, Cause.WORKER_LOST)
        self.names[name] = incarnation
        self.draining.setdefault(incarnation, False)

    def held(self, incarnation: str) -> list[ModelJob]:
        """The newest first."""
        found = [j for j in self.jobs.values() if j.status.held and j.holder == incarnation]
        return sorted(found, key=lambda j: j.id, reverse=True)

    def wait(self, worker: str, room: int, queues: list[str]) -> None:
        self.waits.pop(worker, None)
        if room and not self.draining[worker] and worker not in self.unread:
            self.waits[worker] = room, queues

    def drain(self, worker: str, grace: float | None) -> None:
        self.draining[worker] = True
        self.waits.pop(worker, None)
        self.overdue.discard(worker)
        if grace == 0:
            self.overdue.add(worker)

    def undrain(self, worker: str) -> None:
        self.draining[worker] = False
        self.overdue.discard(worker)

    def hand_over(self) -> list[tuple[str, list[str]]]:
        """Jobs that go to workers that wait, and wait no more then."""
        found = []
        for worker, (room, queues) in list(self.waits.items()):
            for queue in sorted(queues):
                length = 0 if self.paused(queue) else len(self.waiting(queue))
                ids = self._take(worker, min(room, length), queues) if length else []
                if ids:
                    found.append((worker, ids))
                    del self.waits[worker]
                    break
        return found

    def claim(self, worker: str, room: int, queues: list[str], prefetch: int = 0) -> list[str]:
        ids = self._claim(worker, room, queues, prefetch)
        if worker in self.waits:
            _, its = self.waits.pop(worker)
            if room > len(ids):
                self.waits[worker] = room - len(ids), its
        return ids

    def _claim(self, worker: str, room: int, queues: list[str], prefetch: int) -> list[str]:
        limit = room
        if prefetch:
            waiting = sum(len(self.waiting(q)) for q in queues if not self.paused(q))
            share = math.ceil(waiting / len(self.names))
            limit = min(room + prefetch, max(room, share))
        return self._take(worker, room, queues, limit)

    def _take(
        self, worker: str, room: int, queues: list[str], limit: int | None = None
    ) -> list[str]:
        if limit is None:
            limit = room
        claimed: list[str] = []
        alone = False
        for queue in queues if not self.draining[worker] else []:
            for job in [] if self.paused(queue) else self.waiting(queue):
                suspect = job.crashes + job.losses > 0
                if alone or len(claimed) >= limit or (suspect and (claimed or not room)):
                    break
                if self.admit(job):
                    alone = suspect
                    job.status, job.holder = Status.CLAIMED, worker
                    job.attempt += 1
                    claimed.append(job.id)
        return claimed

    def fence(self, job_id: str, attempt: int) -> Verdict:
        job = self.jobs.get(job_id)
        if job is None:
            return Verdict.MISSING
        return Verdict.OK if job.status.held and job.attempt == attempt else Verdict.STALE

    def start(self, job_id: str, attempt: int) -> Verdict:
        verdict = self.fence(job_id, attempt)
        if verdict is Verdict.OK:
            self.jobs[job_id].status = Status.RUNNING
        return verdict

    def finish(self, job_id: str, attempt: int, outcome: Outcome) -> Verdict:
        job = self.jobs.get(job_id)
        if job is not None and attempt in (job.ended, job.accepted):
            return Verdict.OK
        verdict = self.fence(job_id, attempt)
        if job is None or verdict is not Verdict.OK:
            return verdict
        if outcome.succeeded:
            self.let_go(job)
            self.conclude(job, Status.SUCCEEDED, accepted=attempt)
        elif job.cancelling or outcome.cause is Cause.CANCELLED:
            self.let_go(job)
            self.conclude(job, Status.CANCELLED, accepted=attempt)
        elif outcome.cause in FAILURES:
            self.let_go(job)
            self._fail(job, outcome)
        elif outcome.cause is not None:
            job.ended = attempt
            self.lose(job, outcome.cause, said=True)
        return verdict

    def _fail(self, job: ModelJob, outcome: Outcome) -> None:
        job.failures += 1
        rule = _rule(job, outcome)
        last = job.failures >= job.spec.max_attempts or outcome.cause is Cause.REJECTED
        if last or rule == "fail":
            self.conclude(job, Status.FAILED, accepted=job.attempt)
            return
        if rule is not None and not isinstance(rule, str):
            job.queue = rule["queue"]
        job.status, job.holder, job.ended = Status.SCHEDULED, "", job.attempt
        job.delayed = True

    def hand_back(self, job: ModelJob) -> None:
        self.let_go(job)
        self._put_back(job)

    def _put_back(self, job: ModelJob) -> None:
        if job.cancelling:
            self.conclude(job, Status.CANCELLED)
        else:
            self.enqueue(job, at_head=True)

    def lose(self, job: ModelJob, cause: Cause, *, said: bool = False) -> None:
        began = said or job.status is Status.RUNNING
        ordered = not said and cause is Cause.WORKER_LOST and job.holder in self.overdue
        self.let_go(job)
        if cause in LOSSES and not ordered:
            job.crashes += began
            job.losses += not began
            over = job.crashes >= MAX_CRASHES if began else job.losses >= MAX_LOSSES
            if over and not job.cancelling:
                self.conclude(job, Status.FAILED)
                return
        self._put_back(job)

    def release(self, incarnation: str, cause: Cause) -> int:
        held = self.held(incarnation)
        for job in held:
            self.lose(job, cause)
        self._forget(incarnation)
        return len(held)

    def release_all(self, names: Sequence[str], cause: Cause) -> int:
        return sum(self.release(self.names[name], cause) for name in sorted(names))

    def deregister(self, incarnation: str) -> None:
        for job in self.held(incarnation):
            self.hand_back(job)
        self._forget(incarnation)

    def cancel(self, job_id: str) -> None:
        self.revoke(self.jobs[job_id])

    def retry(self, job_id: str) -> None:
        job = self.jobs[job_id]
        if job.spec.array:
            self.count(job, -1)
        job.failures = job.crashes = job.losses = 0
        job.run += 1
        job.ended, job.accepted = job.accepted or job.ended, None
        self.enqueue(job)

    def delete(self, ids: Sequence[str]) -> None:
        """Retention took these; an array goes with the last of its jobs."""
        arrays = {self.jobs.pop(job_id).spec.array for job_id in ids}
        for array_id in arrays - {job.spec.array for job in self.jobs.values()} - {""}:
            del self.arrays[array_id]

    def deletable(self, job: ModelJob) -> bool:
        array = self.arrays.get(job.spec.array)
        return job.status.terminal and (array is None or array.over)

    def restore(self) -> None:
        """Only what is worth keeping is left, and workers are not. The places are made anew."""
        self.names, self.draining, self.children = {}, {}, {}
        self.waits, self.unread, self.overdue = {}, {}, set()
        self.holders.clear()
        for job in self.jobs.values():
            job.parked = False
        for job in self.with_status(Status.CLAIMED, Status.RUNNING):
            self._put_back(job)
        for job in self.with_status(Status.BLOCKED):
            self.tie(job)
        self.cascade()

    def _forget(self, incarnation: str) -> None:
        self.draining.pop(incarnation, None)
        self.waits.pop(incarnation, None)
        self.unread.pop(incarnation, None)
        self.overdue.discard(incarnation)
        self.names = {n: i for n, i in self.names.items() if i != incarnation}


def _rule(job: ModelJob, outcome: Outcome) -> RetryRule | None:
    """What the job's own rules say to a failure."""
    rule = job.spec.retry_on.get(str(outcome.cause))
    if outcome.cause is Cause.EXIT and isinstance(rule, dict) and "queue" not in rule:
        found: RetryRule | None = rule.get(str(outcome.exit_code), rule.get("default"))
        return found
    return rule
