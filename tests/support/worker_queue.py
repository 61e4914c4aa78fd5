"""A queue in memory, for the worker's tests: the narrow part it uses, with faults to inject."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from jobctl.queue import (
    Cause,
    Finish,
    Job,
    Message,
    Outcome,
    QueueError,
    Renewal,
    Status,
    Superseded,
    Unavailable,
    UnknownWorker,
    Verdict,
    WorkerInfo,
    new_id,
)


def a_job(*argv: str, **fields: object) -> Job:
    """A queued job with a new id."""
    return replace(Job(id=new_id(), argv=argv, status=Status.QUEUED), **fields)  # type: ignore[arg-type]


class MemoryQueue:
    """One lock, one condition that everything notifies: tests wait for facts, not for time."""

    def __init__(self, *jobs: Job) -> None:
        self.changed = threading.Condition()
        self.waiting = list(jobs)
        self.held: dict[str, Job] = {}
        self.finished: dict[str, Finish] = {}
        self.handed_back: list[tuple[str, int]] = []
        self.started: list[tuple[str, int]] = []
        self.reports: list[dict[str, object]] = []
        self.registrations: list[WorkerInfo] = []
        self.deregistered: list[str] = []
        self.known: set[str] = set()
        self.messages: list[Message] = []
        self.tokens = len(jobs)
        self.draining = False
        self.superseded = False
        self.away = False
        self.asked = 0
        """Calls that were refused while away."""

    # -- what tests do

    def add(self, *jobs: Job) -> None:
        with self.changed:
            self.waiting += jobs
            self.tokens += len(jobs)
            self.changed.notify_all()

    def tell(self, message: Message) -> None:
        with self.changed:
            self.messages.append(message)
            self.changed.notify_all()

    def set_away(self, away: bool) -> None:
        with self.changed:
            self.away = away
            self.changed.notify_all()

    def take_over(self, job_id: str) -> None:
        """As if its lease had ended and another worker had it."""
        with self.changed:
            del self.held[job_id]
            self.changed.notify_all()

    def until(self, fact: Callable[[], object], within: float = 20.0) -> None:
        """Waits until the fact holds; fails loudly if it never does."""
        with self.changed:
            assert self.changed.wait_for(fact, within), "it never came to that"

    def outcome(self, job: Job) -> Outcome:
        """How the job ended, once it has."""
        self.until(lambda: job.id in self.finished)
        return self.finished[job.id].outcome

    # -- what the worker calls

    def register(self, info: WorkerInfo) -> None:
        with self._answering():
            if self.superseded:
                raise Superseded(info.name)
            self.registrations.append(info)
            self.known.add(info.incarnation)

    def deregister(self, incarnation: str) -> None:
        with self._answering():
            self.deregistered.append(incarnation)

    def renew(self, incarnation: str, held: Sequence[tuple[str, int]]) -> Renewal:
        with self._answering():
            return Renewal(
                [self._verdict(*fence) for fence in held],
                self.draining,
                incarnation in self.known,
            )

    def claim(self, incarnation: str, n: int, queues: Sequence[str]) -> list[Job]:
        with self._answering():
            if incarnation not in self.known:
                raise UnknownWorker(incarnation)
            return self._claim(n)

    def start(self, incarnation: str, held: Sequence[tuple[str, int]]) -> list[Verdict]:
        with self._answering():
            self.started += held
            return [self._verdict(*fence) for fence in held]

    def report(
        self,
        job_id: str,
        attempt: int,
        *,
        step: str | None = None,
        progress: float | None = None,
        checkpoint: str | None = None,
    ) -> Verdict:
        with self._answering():
            said = {"step": step, "progress": progress, "checkpoint": checkpoint}
            self.reports.append({"id": job_id, **said})
            return self._verdict(job_id, attempt)

    def finish(
        self,
        incarnation: str,
        finishes: Sequence[Finish],
        *,
        claim: int = 0,
        queues: Sequence[str] = (),
    ) -> tuple[list[Verdict], list[Job]]:
        with self._answering():
            verdicts = [self._verdict(item.id, item.attempt) for item in finishes]
            for item, verdict in zip(finishes, verdicts, strict=True):
                if verdict is Verdict.OK:
                    self.finished[item.id] = item
                    del self.held[item.id]
            return verdicts, self._claim(claim)

    def hand_back(
        self, incarnation: str, held: Sequence[tuple[str, int]], cause: Cause
    ) -> list[Verdict]:
        with self._answering():
            verdicts = [self._verdict(*fence) for fence in held]
            self.handed_back += held
            for job_id, _ in held:
                self.held.pop(job_id, None)
            return verdicts

    def wait_work(self, queues: Sequence[str], timeout: float) -> bool:
        with self.changed:
            self.changed.wait_for(lambda: self.tokens or self.away, timeout)
            self._refuse_if_away()
            if not self.tokens:
                return False
            self.tokens -= 1
            return True

    def wait_message(self, incarnation: str, timeout: float) -> Message | None:
        with self.changed:
            self.changed.wait_for(lambda: self.messages or self.away, timeout)
            self._refuse_if_away()
            return self.messages.pop(0) if self.messages else None

    # -- inside

    def _answering(self) -> "_Answering":
        return _Answering(self)

    def _refuse_if_away(self) -> None:
        if self.away:
            self.asked += 1
            self.changed.notify_all()
            raise Unavailable("Redis is away")

    def _verdict(self, job_id: str, attempt: int) -> Verdict:
        job = self.held.get(job_id)
        return Verdict.OK if job is not None and job.attempt == attempt else Verdict.STALE

    def _claim(self, n: int) -> list[Job]:
        if self.draining:
            n = 0
        taken = [replace(job, attempt=job.attempt + 1) for job in self.waiting[:n]]
        self.waiting = self.waiting[n:]
        self.held |= {job.id: job for job in taken}
        self.tokens = len(self.waiting)
        return taken


class _Answering:
    """The lock for one call, refused while away; whatever changed is made known."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue

    def __enter__(self) -> None:
        self._queue.changed.acquire()
        try:
            self._queue._refuse_if_away()
        except QueueError:
            self._queue.changed.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._queue.changed.notify_all()
        self._queue.changed.release()
