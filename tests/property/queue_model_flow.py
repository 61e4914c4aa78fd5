"""What the end of a job means for others: its array, and those that wait for either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from jobctl.queue import (
    AfterPolicy,
    InvalidSpec,
    JobSpec,
    QueueClosed,
    QueueState,
    Status,
    UnknownJob,
)
from tests.property.queue_model_places import ModelJob, Places


@dataclass
class ModelArray:
    """Some jobs as one."""

    size: int
    max_fails: int | None
    ended: Counter[Status] = field(default_factory=Counter)
    over: bool = False
    doomed: bool = False

    @property
    def status(self) -> Status:
        """How it ended, in the words of a job."""
        lost = self.ended[Status.FAILED] + self.ended[Status.CANCELLED]
        if not self.doomed and lost <= (self.max_fails or 0):
            return Status.SUCCEEDED
        return Status.FAILED if self.ended[Status.FAILED] else Status.CANCELLED


class Flow(Places):
    """Ends, and what follows from them once the call that brought them is over."""

    def __init__(self) -> None:
        super().__init__()
        self.arrays: dict[str, ModelArray] = {}
        self.children: dict[str, set[str]] = {}  # of what is not over; the cancelled stay
        self.followups: list[tuple[str, Status]] = []
        self.dooms: list[str] = []

    # -- submitting

    def refusal(self, specs: Sequence[JobSpec]) -> type[Exception] | None:
        """Why none of these can be taken in."""
        if any(self.states.get(spec.queue) is QueueState.DRAINING for spec in specs):
            return QueueClosed
        there, awaited = self.jobs.keys() | self.arrays.keys(), set(self.children)
        for spec in specs:
            known = spec.id in there or (spec.key and self.by_key(spec.key))
            if not known and spec.array:
                there.add(spec.array)
            if not known and any(parent not in there for parent in spec.after):
                return UnknownJob
            if not known:
                awaited.update(spec.after)
            if not known and spec.after and spec.array in awaited:
                return InvalidSpec
            there.add(spec.id)
        return None

    def by_key(self, key: str) -> str:
        return next((job.id for job in self.jobs.values() if job.spec.key == key), "")

    def submit(self, specs: Sequence[JobSpec]) -> list[tuple[str, bool]]:
        """The ids that stand for these jobs, and whether they were made."""
        answers, meant = [], {}
        for spec in specs:
            older = self.by_key(spec.key) if spec.key else ""
            if spec.id in self.jobs or older:
                meant[spec.id] = older or spec.id
                answers.append((meant[spec.id], False))
            else:
                after = tuple(meant.get(parent, parent) for parent in spec.after)
                self._add(ModelJob(spec, spec.queue, after, delayed=spec.delay > 0))
                answers.append((spec.id, True))
        self.cascade()
        return answers

    def _add(self, job: ModelJob) -> None:
        spec = job.spec
        self.jobs[job.id] = job
        if spec.array:
            self.open_array(spec.array, spec.array_size or 0, spec.array_max_fails)
            if self.arrays[spec.array].doomed:
                return self.conclude(job, Status.CANCELLED)
        return self.tie(job)

    def open_array(self, array_id: str, size: int, max_fails: int | None) -> None:
        self.arrays.setdefault(array_id, ModelArray(size, max_fails))

    def tie(self, job: ModelJob) -> None:
        """A job begins: it waits for its parents, or its time, or is lost with a parent."""
        states = {parent: self.state_of(parent) for parent in job.after}
        if job.spec.after_policy is AfterPolicy.SUCCEEDED and BAD & set(states.values()):
            return self.conclude(job, Status.CANCELLED)
        job.waits_for = {parent for parent, state in states.items() if state is None}
        if not job.waits_for:
            return self.queue_at(job)
        job.status = Status.BLOCKED
        for parent in job.waits_for:
            self.children.setdefault(parent, set()).add(job.id)
        return None

    def state_of(self, parent: str) -> Status | None:
        """How a job or array ended; None for one that is not over."""
        job, array = self.jobs.get(parent), self.arrays.get(parent)
        if job is not None:
            return job.status if job.status.terminal else None
        # What is gone, though others waited for it, had ended well.
        return array.status if array and array.over else None if array else Status.SUCCEEDED

    def queue_at(self, job: ModelJob) -> None:
        if job.delayed:
            job.status = Status.SCHEDULED
        else:
            self.enqueue(job)

    # -- ending

    def conclude(self, job: ModelJob, status: Status, accepted: int | None = None) -> None:
        job.status, job.accepted = status, accepted
        job.cancelling, job.holder, job.delayed = False, "", False
        if job.spec.array:
            self.count(job, 1)
        if job.id in self.children:
            self.followups.append((job.id, status))

    def count(self, job: ModelJob, by: int) -> None:
        """A job of an array came to an end, or (by -1) is about to leave it."""
        array = self.arrays[job.spec.array]
        array.ended[job.status] += by
        self.weigh(job.spec.array, leaving=job if by < 0 else None)
        fails = array.ended[Status.FAILED]
        spoilt = array.max_fails is not None and fails > array.max_fails
        if by > 0 and spoilt and not array.over:
            self.doom(job.spec.array)

    def weigh(self, array_id: str, leaving: ModelJob | None = None) -> None:
        """An array is over when its jobs are, and (unless doomed) all of them have come."""
        array = self.arrays[array_id]
        members = [job for job in self.jobs.values() if job.spec.array == array_id]
        still = any(not job.status.terminal or job is leaving for job in members)
        over = not still and (array.doomed or array.ended.total() >= array.size)
        if over and not array.over and array_id in self.children:
            array.over = True
            self.followups.append((array_id, array.status))
        array.over = over

    def doom(self, array_id: str) -> None:
        array = self.arrays[array_id]
        if not array.doomed:
            array.doomed = True
            self.dooms.append(array_id)

    def revoke(self, job: ModelJob) -> None:
        """End a job that is not over, if it runs by its worker."""
        if job.status is Status.RUNNING:
            job.cancelling = True
            return
        if job.status is Status.CLAIMED:
            self.let_go(job)
        elif job.status is Status.QUEUED and job.spec.concurrency_key:
            job.parked, job.status = False, Status.CANCELLED
            self.let_in(job.spec.concurrency_key)
        self.conclude(job, Status.CANCELLED)

    def cascade(self) -> None:
        """What the ends of this call mean for others, and so on until nothing follows."""
        while self.dooms or self.followups:
            while self.dooms:
                array_id = self.dooms.pop(0)
                for job in sorted(self.jobs.values(), key=lambda job: job.id):
                    if job.spec.array == array_id and not job.status.terminal:
                        self.revoke(job)
                self.weigh(array_id)
            while self.followups:
                parent, status = self.followups.pop(0)
                for child in sorted(self.children.pop(parent, ())):
                    if child in self.jobs:
                        self._tell(self.jobs[child], parent, status)

    def _tell(self, job: ModelJob, parent: str, status: Status) -> None:
        if job.status is not Status.BLOCKED:
            return
        if status in BAD and job.spec.after_policy is AfterPolicy.SUCCEEDED:
            self.revoke(job)
            return
        job.waits_for.discard(parent)
        if not job.waits_for:
            self.queue_at(job)


BAD = {Status.FAILED, Status.CANCELLED}
