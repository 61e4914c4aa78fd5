"""A queue in memory, for the worker's tests: the narrow part it uses, with faults to inject."""

import base64
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

from jobctl.queue import (
    Cause,
    ClaimedJob,
    Claims,
    Finish,
    Message,
    MessageKind,
    Outcome,
    QueueError,
    Renewal,
    Superseded,
    Unavailable,
    UnknownWorker,
    Verdict,
    WorkerInfo,
    new_id,
)


def a_job(*argv: str, attempt: int = 1, stdin: bytes | None = None, **fields: Any) -> ClaimedJob:
    """A job with a new id, as its worker gets it: a command, or `function=` with `args=`."""
    told: dict[str, Any] = {"id": new_id(), "queue": "default", "attempt": attempt - 1, **fields}
    if argv:
        told["argv"] = json.dumps(argv)
    if "env" in told:
        told["env"] = json.dumps(told["env"])
    if stdin is not None:
        told["stdin"] = base64.b64encode(stdin).decode()
    return ClaimedJob.of([str(word) for pair in told.items() for word in pair])


def next_attempt(job: ClaimedJob) -> ClaimedJob:
    """The same job, claimed once more."""
    fields = {**job._fields, "attempt": str(job.attempt)}
    return ClaimedJob.of([word for pair in fields.items() for word in pair])


class MemoryQueue:
    """One lock, one condition that everything notifies: tests wait for facts, not for time."""

    def __init__(self, *jobs: ClaimedJob) -> None:
        self.changed = threading.Condition()
        self.waiting = list(jobs)
        self.held: dict[str, ClaimedJob] = {}
        self.finished: dict[str, Finish] = {}
        self.handed_back: list[tuple[str, int]] = []
        self.causes: list[Cause | None] = []
        """Why each was handed back."""
        self.started: list[tuple[str, int]] = []
        self.reports: list[dict[str, object]] = []
        self.registrations: list[WorkerInfo] = []
        self.deregistered: list[str] = []
        self.known: set[str] = set()
        self.messages: list[Message] = []
        self.tokens = len(jobs)
        self._draining = False
        self.superseded = False
        self.away = False
        self.keep_back = True
        """Whether jobs that are handed back go to another worker, never to be seen again."""
        self.next_due: float | None = None
        """What the next claims say of when there is more."""
        self.asked = 0
        """Calls that were refused while away."""
        self.claims: list[tuple[int, int, tuple[str, ...]]] = []
        """Room, prefetch and queues of every claim."""
        self.room = 0
        """For how many jobs the worker waits."""
        self.batches: list[int] = []
        """How many ends each finish carried."""
        self.litter: list[str] = []
        self.leased_litter: list[str] = []

    # -- what tests do

    def add(self, *jobs: ClaimedJob) -> None:
        with self.changed:
            self.waiting += jobs
            self.tokens += len(jobs)
            self.changed.notify_all()

    def tell(self, message: Message) -> None:
        with self.changed:
            self.messages.append(message)
            if message.kind is MessageKind.DRAIN:
                self.room = 0
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

    def outcome(self, job: ClaimedJob) -> Outcome:
        """How the job ended, once it has."""
        self.until(lambda: job.id in self.finished)
        return self.finished[job.id].outcome

    @property
    def draining(self) -> bool:
        return self._draining

    @draining.setter
    def draining(self, draining: bool) -> None:
        with self.changed:
            self._draining = draining
            self.room = 0

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

    def claim(
        self, incarnation: str, room: int, queues: Sequence[str], *, prefetch: int = 0
    ) -> Claims:
        with self._answering():
            if incarnation not in self.known:
                raise UnknownWorker(incarnation)
            return self._claim(room, prefetch, queues)

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
        room: int = 0,
        prefetch: int = 0,
        queues: Sequence[str] = (),
    ) -> tuple[list[Verdict], Claims]:
        with self._answering():
            self.batches.append(len(finishes))
            verdicts = [self._verdict(item.id, item.attempt) for item in finishes]
            for item, verdict in zip(finishes, verdicts, strict=True):
                if verdict is Verdict.OK:
                    self.finished[item.id] = item
                    del self.held[item.id]
            return verdicts, self._claim(room, prefetch, queues)

    def hand_back(
        self, incarnation: str, held: Sequence[tuple[str, int]], cause: Cause | None
    ) -> list[Verdict]:
        with self._answering():
            verdicts = [self._verdict(*fence) for fence in held]
            self.handed_back += held
            self.causes += [cause] * len(held)
            back = [self.held.pop(job_id) for job_id, _ in held if job_id in self.held]
            if not self.keep_back:
                self.waiting[:0] = [next_attempt(job) for job in back]
                self.tokens = len(self.waiting)
            return verdicts

    def take_litter(self, n: int) -> list[str]:
        with self._answering():
            self.leased_litter, self.litter = self.litter[:n], self.litter[n:]
            return self.leased_litter

    def drop_litter(self, ids: Sequence[str]) -> None:
        with self._answering():
            self.leased_litter = [left for left in self.leased_litter if left not in ids]

    def wait_jobs(
        self, incarnation: str, room: int, queues: Sequence[str], timeout: float
    ) -> Claims | None:
        with self.changed:
            self.room = 0 if self.draining else room
            self.changed.wait_for(lambda: self.tokens or self.away, timeout)
            self._refuse_if_away()
            if not self.tokens:
                return None
            if self.room:
                taken, self.waiting = self.waiting[: self.room], self.waiting[self.room :]
                self.room = 0
                self.held |= {job.id: job for job in taken}
                self.tokens = len(self.waiting)
                return Claims(taken)
            self.tokens -= 1
            return Claims([])

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

    def _claim(self, room: int, prefetch: int, queues: Sequence[str]) -> Claims:
        self.claims.append((room, prefetch, tuple(queues)))
        self.room = min(self.room, room)
        n = 0 if self.draining else room + prefetch
        taken, self.waiting = self.waiting[:n], self.waiting[n:]
        self.held |= {job.id: job for job in taken}
        self.tokens = len(self.waiting)
        return Claims(taken, self.next_due)


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
