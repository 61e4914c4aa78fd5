"""Words for tests of flows: jobs with ids of their own, and how workers end them."""

from __future__ import annotations

from jobctl.queue import Finish, Job, JobSpec, Outcome, Status, new_id
from tests.support.queue_lab import FAILED, OK, Lab


def spec(**fields: object) -> JobSpec:
    """A small job."""
    return JobSpec(**{"id": new_id(), "function": "pkg.mod:work", **fields})  # type: ignore[arg-type]


def submit(lab: Lab, **fields: object) -> str:
    """Submit one job; its id."""
    return lab.queue.submit([spec(**fields)])[0].id


def end(lab: Lab, job_id: str, outcome: Outcome = OK) -> None:
    """Let a worker claim jobs until it has this one, end it, and put the others back."""
    worker = lab.worker("flow-worker", "flow-worker")
    queue = lab.queue.get(job_id).queue
    jobs = lab.queue.claim(worker, 256, [queue]).jobs
    (mine,) = [job for job in jobs if job.id == job_id]
    lab.queue.finish(worker, [Finish(mine.id, mine.attempt, outcome)])
    lab.queue.deregister(worker)


def fail(lab: Lab, job_id: str) -> None:
    """End a job with a failure."""
    end(lab, job_id, FAILED)


def tick_until_still(lab: Lab, limit: int = 100) -> None:
    """Tick until there is nothing more to do."""
    while lab.queue.tick(limit).moved:
        pass


def statuses(lab: Lab, *ids: str) -> list[Status]:
    """How these jobs stand."""
    return [job.status for job in get(lab, *ids)]


def get(lab: Lab, *ids: str) -> list[Job]:
    """These jobs, which must be there."""
    found = [job for job in lab.queue.get_many(ids) if job is not None]
    assert len(found) == len(ids)
    return found
