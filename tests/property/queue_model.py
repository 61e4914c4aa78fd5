"""The queue as a few lines of Python: what the real one is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobctl.queue import Cause, Outcome, Status, Verdict
from jobctl.queue.status import CRASHES, FAILURES, MAX_CRASHES


@dataclass
class ModelJob:
    """What must be known to say what happens next."""

    id: str
    queue: str
    max_attempts: int
    status: Status = Status.QUEUED
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    run: int = 1
    ended: int | None = None
    accepted: int | None = None
    cancelling: bool = False
    holder: str = ""


@dataclass
class Model:
    """Jobs, queues (the next job first) and workers (incarnation -> draining)."""

    jobs: dict[str, ModelJob] = field(default_factory=dict)
    queues: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    draining: dict[str, bool] = field(default_factory=dict)

    def submit(self, job_id: str, queue: str, max_attempts: int) -> bool:
        if job_id in self.jobs:
            return False
        self.jobs[job_id] = ModelJob(job_id, queue, max_attempts)
        self._enqueue(self.jobs[job_id])
        return True

    def register(self, name: str, incarnation: str) -> None:
        current = self.names.get(name)
        if current is not None and current != incarnation:
            self.release(current, Cause.WORKER_LOST)
        self.names[name] = incarnation
        self.draining.setdefault(incarnation, False)

    def held(self, incarnation: str) -> list[ModelJob]:
        found = [j for j in self.jobs.values() if j.status.held and j.holder == incarnation]
        return sorted(found, key=lambda j: j.id, reverse=True)

    def claim(self, incarnation: str, n: int, queues: list[str]) -> list[str]:
        claimed: list[str] = []
        for queue in queues if not self.draining[incarnation] else []:
            waiting = self.queues.get(queue, [])
            while waiting and len(claimed) < n:
                job = self.jobs[waiting.pop(0)]
                job.status, job.holder = Status.CLAIMED, incarnation
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
            self._conclude(job, Status.SUCCEEDED, accepted=attempt)
        elif job.cancelling or outcome.cause is Cause.CANCELLED:
            self._conclude(job, Status.CANCELLED, accepted=attempt)
        elif outcome.cause in FAILURES:
            job.failures += 1
            if job.failures >= job.max_attempts or outcome.cause is Cause.REJECTED:
                self._conclude(job, Status.FAILED, accepted=attempt)
            else:
                job.status, job.holder, job.ended = Status.SCHEDULED, "", attempt
        elif outcome.cause is not None:
            job.ended = attempt
            self.lose(job, outcome.cause)
        return verdict

    def hand_back(self, job: ModelJob) -> None:
        if job.cancelling:
            self._conclude(job, Status.CANCELLED)
        else:
            self._enqueue(job, at_head=True)

    def lose(self, job: ModelJob, cause: Cause) -> None:
        if cause in CRASHES:
            job.crashes += 1
            if job.crashes >= MAX_CRASHES and not job.cancelling:
                self._conclude(job, Status.FAILED)
                return
        self.hand_back(job)

    def release(self, incarnation: str, cause: Cause) -> int:
        held = self.held(incarnation)
        for job in held:
            self.lose(job, cause)
        self._forget(incarnation)
        return len(held)

    def deregister(self, incarnation: str) -> None:
        for job in self.held(incarnation):
            self.hand_back(job)
        self._forget(incarnation)

    def promote(self, job_id: str) -> None:
        self._enqueue(self.jobs[job_id])

    def cancel(self, job_id: str) -> None:
        job = self.jobs[job_id]
        if job.status is Status.RUNNING:
            job.cancelling = True
            return
        if job.status is Status.QUEUED:
            self.queues[job.queue].remove(job_id)
        self._conclude(job, Status.CANCELLED)

    def retry(self, job_id: str) -> None:
        job = self.jobs[job_id]
        job.failures = job.crashes = 0
        job.run += 1
        job.ended, job.accepted = job.accepted or job.ended, None
        self._enqueue(job)

    def _enqueue(self, job: ModelJob, *, at_head: bool = False) -> None:
        job.status, job.holder = Status.QUEUED, ""
        waiting = self.queues.setdefault(job.queue, [])
        waiting.insert(0 if at_head else len(waiting), job.id)

    def _conclude(self, job: ModelJob, status: Status, accepted: int | None = None) -> None:
        job.status, job.accepted = status, accepted
        job.cancelling, job.holder = False, ""

    def _forget(self, incarnation: str) -> None:
        self.draining.pop(incarnation, None)
        self.names = {n: i for n, i in self.names.items() if i != incarnation}
