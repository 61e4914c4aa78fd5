"""Worker processes against a real Redis: every way a job ends, and every way things break."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.queue import Cause, Job, JobSpec, Queue, Status, connect, new_id
from tests.support.eventually import eventually
from tests.support.redis_server import RedisServer
from tests.support.worker_process import WorkerProcess

Start = Callable[..., WorkerProcess]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def queue(redis: RedisServer) -> Iterator[Queue]:
    queue = connect("", project="demo", unix_socket_path=redis.socket)
    queue.ensure_library()
    yield queue
    queue.close()


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Path]:
    """Jobs that wait for this file end when it is there, at the latest after the test."""
    path = tmp_path / "go"
    yield path
    path.touch()


@pytest.fixture
def ticking(queue: Queue) -> Iterator[None]:
    """Ticks as the master would."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(0.05):
            queue.tick()

    thread = threading.Thread(target=tick)
    thread.start()
    yield
    over.set()
    thread.join()


def submit(queue: Queue, script: str, **fields: Any) -> str:
    spec = JobSpec(id=new_id(), argv=("/bin/sh", "-c", script), **fields)
    queue.submit([spec])
    return spec.id


def waiting_for(go: Path, then: str = "true") -> str:
    """A script that says that it is up, waits for the file, and does `then`."""
    return f'echo \'::jobctl {{"step":"up"}}\'; until [ -e {go} ]; do sleep 0.05; done; {then}'


def until_up(queue: Queue, job_id: str, attempt: int = 1) -> Job:
    def look() -> Job | None:
        job = queue.get(job_id)
        return job if job.step == "up" and job.attempt == attempt else None

    found = eventually(look)
    assert found is not None
    return found


def end_of(queue: Queue, job_id: str) -> Job:
    eventually(lambda: queue.get(job_id).status.terminal)
    return queue.get(job_id)


def log(folder: Path, job_id: str, attempt: int) -> bytes:
    return (folder / "jobs" / job_id / str(attempt) / "log").read_bytes()


def test_success_failure_retry_and_timeout(
    redis: RedisServer, queue: Queue, tmp_path: Path
) -> None:
    good = submit(queue, 'echo hi; echo \'::jobctl {"progress": 100, "checkpoint": 7}\'')
    bad = submit(queue, "echo $JOBCTL_ATTEMPT; exit 3", max_attempts=2)
    slow = submit(queue, "sleep 600 & wait", timeout=0.3)
    with WorkerProcess(redis.socket, tmp_path):
        job = end_of(queue, good)
        assert (job.status, job.accepted, job.exit_code) == (Status.SUCCEEDED, 1, 0)
        assert (job.progress, job.checkpoint) == (100.0, "7")
        assert job.started_at is not None
        job = end_of(queue, slow)
        assert (job.status, job.cause) == (Status.FAILED, Cause.TIMEOUT)
        eventually(lambda: queue.get(bad).status is Status.SCHEDULED or queue.get(bad).failures)
        eventually(lambda: queue.tick() or queue.get(bad).status.terminal)
        job = end_of(queue, bad)
        assert (job.cause, job.exit_code, job.failures, job.attempt) == (Cause.EXIT, 3, 2, 2)
    assert log(tmp_path, bad, 2) == b"2\n"


def test_cancel(redis: RedisServer, queue: Queue, tmp_path: Path, go: Path) -> None:
    job_id = submit(queue, waiting_for(go))
    with WorkerProcess(redis.socket, tmp_path):
        until_up(queue, job_id)
        eventually(lambda: queue.get(job_id).status is Status.RUNNING)
        queue.cancel(job_id)
        assert end_of(queue, job_id).status is Status.CANCELLED


def test_a_stopped_worker_hands_back_and_another_goes_on(
    redis: RedisServer, queue: Queue, tmp_path: Path, go: Path
) -> None:
    job_id = submit(queue, waiting_for(go, "echo $JOBCTL_CHECKPOINT"))
    with WorkerProcess(redis.socket, tmp_path, grace=0.0) as first:
        until_up(queue, job_id)
        assert first.stop() == 0
    job = queue.get(job_id)
    assert (job.status, job.failures, job.crashes) == (Status.QUEUED, 0, 0)
    assert queue.workers() == []
    go.touch()
    with WorkerProcess(redis.socket, tmp_path, "worker-2"):
        job = end_of(queue, job_id)
    assert (job.status, job.accepted, job.worker) == (Status.SUCCEEDED, 2, "worker-2")


def test_redis_killed_in_the_middle(
    redis: RedisServer, queue: Queue, tmp_path: Path, go: Path
) -> None:
    running = submit(queue, waiting_for(go, "echo over"))
    with WorkerProcess(redis.socket, tmp_path) as worker:
        until_up(queue, running)
        eventually(lambda: queue.get(running).status is Status.RUNNING)
        redis.stop()
        go.touch()
        # The job ends while nobody can be told.
        eventually(lambda: log(tmp_path, running, 1).endswith(b"over\n"))
        eventually(lambda: "redis-away" in worker.log)
        redis.start()
        job = end_of(queue, running)
        assert (job.status, job.accepted, job.crashes) == (Status.SUCCEEDED, 1, 0)
        # And it is not deaf afterwards.
        assert end_of(queue, submit(queue, "true")).status is Status.SUCCEEDED
        assert [w.name for w in queue.workers()] == ["worker-1"]


def test_a_job_that_reports_to_a_full_redis_still_ends(
    redis: RedisServer, queue: Queue, tmp_path: Path, go: Path
) -> None:
    job_id = submit(queue, waiting_for(go, 'echo \'::jobctl {"step":"last"}\''))
    with WorkerProcess(redis.socket, tmp_path), redis.client() as behind:
        until_up(queue, job_id)
        behind.config_set("maxmemory", "1")
        go.touch()
        job = end_of(queue, job_id)
    assert (job.status, job.accepted, job.step) == (Status.SUCCEEDED, 1, "up")


def test_a_new_process_of_the_same_name_takes_the_jobs_over_at_once(
    redis: RedisServer, queue: Queue, tmp_path: Path, go: Path
) -> None:
    job_id = submit(queue, waiting_for(go))
    with WorkerProcess(redis.socket, tmp_path) as first:
        until_up(queue, job_id)
        first.kill()
    with WorkerProcess(redis.socket, tmp_path):
        until_up(queue, job_id, attempt=2)
        go.touch()
        job = end_of(queue, job_id)
    assert (job.status, job.accepted, job.crashes) == (Status.SUCCEEDED, 2, 1)


@pytest.mark.usefixtures("ticking")
def test_a_paused_worker_that_wakes_up_writes_nothing_more(
    redis: RedisServer, queue: Queue, tmp_path: Path, go: Path
) -> None:
    queue.configure(lease=0.5)
    job_id = submit(queue, waiting_for(go, "echo $JOBCTL_ATTEMPT > result; exec sleep 0.05"))
    with WorkerProcess(redis.socket, tmp_path) as first:
        until_up(queue, job_id)
        first.signal(signal.SIGSTOP)
        with WorkerProcess(redis.socket, tmp_path, "worker-2"):
            until_up(queue, job_id, attempt=2)
            first.signal(signal.SIGCONT)
            eventually(lambda: "lease-lost" in first.log or "job-lost" in first.log)
            go.touch()
            job = end_of(queue, job_id)
        assert (job.status, job.accepted, job.worker) == (Status.SUCCEEDED, 2, "worker-2")
        # The first one lives and works on.
        assert end_of(queue, submit(queue, "true")).worker == "worker-1"
        assert "job-finished job=" + job_id not in first.log
    assert (tmp_path / "jobs" / job_id / "2" / "output" / "result").read_text() == "2\n"


def test_a_drained_worker_claims_nothing_until_it_may_again(
    redis: RedisServer, queue: Queue, tmp_path: Path, go: Path
) -> None:
    running = submit(queue, waiting_for(go))
    with WorkerProcess(redis.socket, tmp_path) as worker:
        until_up(queue, running)
        queue.drain("worker-1", None)
        later = submit(queue, "true")
        eventually(lambda: " drain" in worker.log)
        go.touch()
        assert end_of(queue, running).status is Status.SUCCEEDED
        eventually(lambda: queue.workers()[0].status == "drained")
        assert queue.get(later).status is Status.QUEUED
        queue.undrain("worker-1")
        assert end_of(queue, later).status is Status.SUCCEEDED


def test_many_short_jobs_on_several_workers(
    redis: RedisServer, queue: Queue, tmp_path: Path
) -> None:
    jobs = [submit(queue, f"echo {n}") for n in range(100)]
    with WorkerProcess(redis.socket, tmp_path), WorkerProcess(redis.socket, tmp_path, "worker-2"):
        ended = [end_of(queue, job_id) for job_id in jobs]
    assert {job.status for job in ended} == {Status.SUCCEEDED}
    assert [log(tmp_path, job.id, 1) for job in ended] == [f"{n}\n".encode() for n in range(100)]
    assert {job.attempt for job in ended} == {1}
