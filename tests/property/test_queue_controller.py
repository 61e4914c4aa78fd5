"""What a controller says: who is dead and why, who is only slow, and who the controller is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobctl.queue import Cause, Finish, Gauges, Job, Outcome, Queue, Status, WorkerInfo
from jobctl.queue.explain import explain
from tests.support.queue_lab import FAILED, OK, Lab

CRASHES = [Cause.WORKER_LOST, Cause.NODE_LOST, Cause.CHAOS, Cause.OOM]
ORDERED = [Cause.WATCHDOG, Cause.SCALE_DOWN, Cause.CANCELLED]


def first_of(job: Job) -> tuple[Cause | None, str]:
    """Why the first attempt is over, and what was said of it."""
    (attempt,) = job.history
    return attempt.cause, attempt.reason


@pytest.mark.parametrize("cause", CRASHES)
def test_a_death_counts_as_a_crash_and_is_remembered(lab: Lab, queue: Queue, cause: Cause) -> None:
    job_id, _ = lab.running("inc-1")
    assert queue.release("inc-1", cause, "exit code 137, nobody ordered it") == 1
    job = queue.get(job_id)
    assert (job.status, job.crashes, job.failures) == (Status.QUEUED, 1, 0)
    assert first_of(job) == (cause, "exit code 137, nobody ordered it")


@pytest.mark.parametrize("cause", ORDERED)
def test_what_the_cluster_ordered_costs_nothing(lab: Lab, queue: Queue, cause: Cause) -> None:
    job_id, _ = lab.running("inc-1")
    assert queue.release("inc-1", cause, "it did not answer") == 1
    job = queue.get(job_id)
    assert (job.status, job.crashes, job.failures) == (Status.QUEUED, 0, 0)
    assert first_of(job) == (cause, "it did not answer")


def cut(lab: Lab, queue: Queue, grace: float | None) -> Job:
    """Return a job whose worker was to drain, and is found dead."""
    job_id, _ = lab.running("inc-1")
    queue.drain("worker-1", grace)
    queue.release("inc-1", Cause.WORKER_LOST, "killed by SIGKILL")
    return queue.get(job_id)


def test_whose_time_to_drain_was_over_was_ended_by_order(lab: Lab, queue: Queue) -> None:
    job = cut(lab, queue, 0.0)
    assert (job.status, job.crashes) == (Status.QUEUED, 0)
    cause, reason = first_of(job)
    assert cause is Cause.SCALE_DOWN
    assert "time" in reason


@pytest.mark.parametrize("grace", [600.0, None])
def test_until_then_a_death_is_one(lab: Lab, queue: Queue, grace: float | None) -> None:
    job = cut(lab, queue, grace)
    assert job.crashes == 1
    assert first_of(job) == (Cause.WORKER_LOST, "killed by SIGKILL")


def test_memory_that_ran_out_is_no_order(lab: Lab, queue: Queue) -> None:
    job_id, _ = lab.running("inc-1")
    queue.drain("worker-1", 0.0)
    queue.release("inc-1", Cause.OOM, "the supervisor ran out of memory")
    assert first_of(queue.get(job_id))[0] is Cause.OOM


def registers_anew(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-2")


def lets_its_lease_end(lab: Lab, queue: Queue) -> None:
    lab.end_grace()
    lab.expire("inc-1")
    assert queue.tick().moved == 1


@pytest.mark.parametrize("look", [registers_anew, lets_its_lease_end])
def test_whoever_finds_it_takes_it_for_an_order(
    lab: Lab, queue: Queue, look: Callable[[Lab, Queue], None]
) -> None:
    """Nobody was there to see the end."""
    job_id, _ = lab.running("inc-1")
    queue.drain("worker-1", 0.0)
    look(lab, queue)
    job = queue.get(job_id)
    assert (job.crashes, first_of(job)[0]) == (0, Cause.SCALE_DOWN)


def test_a_quarantine_keeps_the_cause(lab: Lab, queue: Queue) -> None:
    lab.submit(1, max_attempts=9)
    for number in range(3):
        ((job_id, attempt),) = lab.claim(lab.worker(f"inc-{number}"))
        queue.start(f"inc-{number}", [(job_id, attempt)])
        queue.release(f"inc-{number}", Cause.OOM, "the supervisor ran out of memory")
    job = queue.get(job_id)
    assert (job.status, job.cause, job.crashes) == (Status.FAILED, Cause.OOM, 3)
    facts = queue.facts(job_id)
    assert "Its worker was lost 3 times" in explain(facts, facts.now_ms).reasons[0].text


def test_an_oom_of_the_job_itself_is_a_failure(lab: Lab, queue: Queue) -> None:
    job_id, attempt = lab.running("inc-1", max_attempts=2)
    queue.finish("inc-1", [Finish(job_id, attempt, Outcome(False, Cause.OOM))])
    job = queue.get(job_id)
    assert (job.crashes, job.failures) == (0, 1)


def in_container(queue: Queue, name: str, incarnation: str, container: str) -> None:
    queue.register(WorkerInfo(name, "default", container, incarnation, 2))


def started_at(queue: Queue, name: str) -> int:
    return next(worker.started_at for worker in queue.workers() if worker.name == name)


def test_a_container_that_died_takes_its_workers_along(lab: Lab, queue: Queue) -> None:
    in_container(queue, "worker-1", "inc-1", "c1")
    in_container(queue, "worker-2", "inc-2", "c1")
    in_container(queue, "worker-3", "inc-3", "c2")
    ids = lab.submit(6)
    for number in (1, 2, 3):
        leases = lab.claim(f"inc-{number}", 2)
        queue.start(f"inc-{number}", leases[:1])
    died = max(started_at(queue, "worker-1"), started_at(queue, "worker-2"))
    assert queue.release_container("c1", died, Cause.OOM, "it ran out of memory") == 4
    assert [worker.name for worker in queue.workers()] == ["worker-3"]
    jobs = [job for job in queue.get_many(ids) if job]
    # Of the two that each of them had, one had begun.
    assert [(job.crashes, job.losses) for job in jobs] == [(1, 0), (0, 1)] * 2 + [(0, 0)] * 2
    for job in jobs[:4]:
        assert first_of(job) == (Cause.OOM, "it ran out of memory")
    assert queue.release_container("c1", died, Cause.OOM) == 0


def test_a_worker_that_registered_since_is_left_alone(lab: Lab, queue: Queue) -> None:
    in_container(queue, "worker-1", "inc-1", "c1")
    ((job_id, _),) = (lab.submit(1), lab.claim("inc-1"))[1]
    died = started_at(queue, "worker-1") - 1
    assert queue.release_container("c1", died, Cause.WORKER_LOST) == 0
    assert queue.get(job_id).status is Status.CLAIMED
    assert [worker.jobs for worker in queue.workers()] == [(job_id,)]


def lease_of(lab: Lab, incarnation: str) -> float | None:
    behind: Any = lab.redis
    found: float | None = behind.zscore(f"{lab.prefix}leases", incarnation)
    return found


def test_patience_keeps_a_silent_workers_jobs(lab: Lab, queue: Queue) -> None:
    job_id, _ = lab.running("inc-1")
    lab.expire("inc-1")
    assert queue.extend_lease("inc-1", lab.now_ms() + 60_000)
    queue.tick()
    assert queue.get(job_id).status is Status.RUNNING
    lab.expire("inc-1")
    queue.tick()
    assert queue.get(job_id).status is Status.QUEUED


def test_a_lease_is_never_shortened_and_nobody_gets_one_for_nothing(lab: Lab, queue: Queue) -> None:
    lab.running("inc-1")
    before = lease_of(lab, "inc-1")
    assert queue.extend_lease("inc-1", 1)
    assert lease_of(lab, "inc-1") == before
    queue.release("inc-1")
    assert not queue.extend_lease("inc-1", lab.now_ms() + 60_000)
    assert lease_of(lab, "inc-1") is None


def test_one_has_the_guard(lab: Lab, queue: Queue) -> None:
    assert queue.guard("controller-1", 60)
    assert not queue.guard("controller-2", 60)
    assert queue.guard("controller-1", 60)
    queue.drop_guard("controller-2")
    assert not queue.guard("controller-2", 60)
    queue.drop_guard("controller-1")
    assert queue.guard("controller-2", 60)


def test_the_guard_of_one_that_is_gone_ends(lab: Lab, queue: Queue) -> None:
    assert queue.guard("controller-1", 60)
    behind: Any = lab.redis
    assert 0 < behind.pttl(f"{lab.prefix}guard") <= 60_000
    behind.pexpire(f"{lab.prefix}guard", 0)
    assert queue.guard("controller-2", 60)


def test_gauges_are_those_last_measured(lab: Lab, queue: Queue) -> None:
    assert queue.read_gauges() == {}
    first = {"worker-1": Gauges(1.25, 4096, 0.0), "worker-2": Gauges(100.0, 1 << 40, 0.5)}
    queue.gauges(first)
    assert queue.read_gauges() == first
    queue.gauges({"worker-1": Gauges(2.0, 1, 0.0)})
    assert queue.read_gauges() == {"worker-1": Gauges(2.0, 1, 0.0)}
    behind: Any = lab.redis
    assert 0 < behind.ttl(f"{lab.prefix}gauges") <= 60
    queue.gauges({})
    assert queue.read_gauges() == {}


def test_a_worker_counts_what_it_ended(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    lab.submit(4)
    leases = lab.claim("inc-1", 4)
    ended = [Finish(*leases[0], OK), Finish(*leases[1], FAILED), Finish("0" * 26, 1, OK)]
    queue.finish("inc-1", ended)
    queue.finish("inc-1", [Finish(*leases[2], OK)])
    queue.finish("inc-1", [])
    queue.hand_back("inc-1", leases[3:], None)
    (worker,) = queue.workers()
    assert worker.ended == 3
    lab.worker("inc-2")
    (worker,) = queue.workers()
    assert worker.ended == 0


def test_parked_jobs_are_counted_by_their_queue(lab: Lab, queue: Queue) -> None:
    def parked() -> dict[str, tuple[int, int]]:
        return {info.name: (info.queued, info.parked) for info in queue.queues()}

    lab.worker("inc-1")
    first, *others = lab.submit(4, concurrency_key="db", concurrency_limit=1)
    lab.submit(2, queue="slow", concurrency_key="db", concurrency_limit=1)
    leases = queue.claim("inc-1", 9, ["default", "slow"]).jobs
    assert [job.id for job in leases] == [first]
    assert parked() == {"default": (0, 3), "slow": (0, 2)}
    queue.cancel(others[2])
    assert parked() == {"default": (0, 2), "slow": (0, 2)}
    queue.deregister("inc-1")
    assert parked() == {"default": (2, 1), "slow": (0, 2)}
