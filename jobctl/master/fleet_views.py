"""Workers, queues, arrays and explanations as the JSON that clients read."""

from typing_extensions import TypedDict

from jobctl.master.views import iso
from jobctl.queue import ArrayInfo, Job, QueueInfo, Rate, Worker
from jobctl.queue.explain import Explanation


class WorkerView(TypedDict):
    """A registered worker."""

    name: str
    pool: str
    container: str
    incarnation: str
    status: str
    concurrency: int
    queues: list[str]
    jobs: list[str]
    started_at: str | None
    heartbeat_at: str | None


class RateView(TypedDict):
    """So many a second on average, at most ``burst`` at once."""

    per_second: float
    burst: int


class QueueView(TypedDict):
    """A queue; ``oldest_at`` is when the oldest job that waits in it was submitted.

    ``parked`` jobs, which are not among the ``queued``, wait for a place of their concurrency key.
    """

    name: str
    state: str
    queued: int
    parked: int
    oldest_at: str | None
    start_rate: RateView | None
    submit_rate: RateView | None


class ArrayView(TypedDict):
    """Many jobs as one; ``over`` when all ``size`` of them have ended."""

    id: str
    size: int | None
    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    max_fails: int | None
    over: bool


class ReasonView(TypedDict):
    """One thing that keeps a job where it is; ``hint`` is what to do about it."""

    kind: str
    text: str
    hint: str


class ExplanationView(TypedDict):
    """Why a job is where it is: in one sentence, and one by one."""

    id: str
    status: str
    summary: str
    reasons: list[ReasonView]


def worker_view(worker: Worker) -> WorkerView:
    """Return a worker."""
    return {
        "name": worker.name,
        "pool": worker.pool,
        "container": worker.container,
        "incarnation": worker.incarnation,
        "status": worker.status,
        "concurrency": worker.concurrency,
        "queues": list(worker.queues),
        "jobs": list(worker.jobs),
        "started_at": iso(worker.started_at),
        "heartbeat_at": iso(worker.heartbeat_at),
    }


def queue_view(queue: QueueInfo) -> QueueView:
    """Return a queue."""
    return {
        "name": queue.name,
        "state": queue.state,
        "queued": queue.queued,
        "parked": queue.parked,
        "oldest_at": iso(queue.oldest_at),
        "start_rate": _rate_view(queue.start_rate),
        "submit_rate": _rate_view(queue.submit_rate),
    }


def _rate_view(rate: Rate | None) -> RateView | None:
    return {"per_second": rate.per_second, "burst": rate.burst} if rate else None


def array_view(array: ArrayInfo) -> ArrayView:
    """Return how far an array is."""
    return {
        "id": array.id,
        "size": array.size,
        "submitted": array.submitted,
        "succeeded": array.succeeded,
        "failed": array.failed,
        "cancelled": array.cancelled,
        "max_fails": array.max_fails,
        "over": array.over,
    }


def explanation_view(job: Job, explanation: Explanation) -> ExplanationView:
    """Return why a job is where it is."""
    return {
        "id": job.id,
        "status": job.status,
        "summary": explanation.summary,
        "reasons": [
            {"kind": reason.kind, "text": reason.text, "hint": reason.hint}
            for reason in explanation.reasons
        ],
    }
