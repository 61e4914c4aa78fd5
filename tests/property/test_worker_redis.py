"""Worker processes against a real Redis: every way a job ends, and every way things break."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.queue import Cause, Job, JobSpec, Keep, Queue, Retention, Status, connect, new_id
from tests.support.eventually import eventually
from tests.support.queue_lab import LEASE, Lab
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
def patient(queue: Queue) -> None:
    """Nobody's lease ends by itself, however long a slow machine keeps a worker waiting."""
    queue.configure(lease=LEASE)


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Path]:
    """Jobs that wait for this file end when it is there, at the latest after the test."""
    path = tmp_path / "go"
    yield path
    path.touch()


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


def is_back(lab: Lab, job_id: str) -> bool:
    """End the lease of a job's worker; tell whether the job is queued again."""
    for worker in lab.queue.workers():
        lab.expire(worker.incarnation)
    lab.queue.tick()
    return lab.queue.get(job_id).status is Status.QUEUED


def log(folder: Path, job_id: str, attempt: int) -> bytes:
    path = folder / "jobs" / job_id / str(attempt) / "log"
    return path.read_bytes() if path.exists() else b""  # it is made by what is printed first


def test_a_canary_runs_on_the_worker_it_is_for(
    redis: RedisServer, queue: Queue, tmp_path: Path
) -> None:
    with WorkerProcess(redis.socket, tmp_path) as worker:
        eventually(queue.workers)
        first = end_of(queue, queue.canary("worker-1"))
        # The worker is idle now, and waits for this one as for any job.
        second = end_of(queue, queue.canary("worker-1"))
        assert worker.stop() == 0
    for job in (first, second):
        assert (job.status, job.worker) == (Status.SUCCEEDED, "worker-1")
        assert job.result.startswith('"3.')


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


def test_a_paused_worker_that_wakes_up_writes_nothing_more(
    redis: RedisServer, queue: Queue, tmp_path: Path, go: Path
) -> None:
    job_id = submit(queue, waiting_for(go, "echo $JOBCTL_ATTEMPT > result; exec sleep 0.05"))
    # Nobody's lease ends by itself, however slow the machine. With a free slot a claim of the first
    # worker might be on its way while it is stopped, and bring it the job once more.
    with (
        Lab(redis, "demo") as lab,
        WorkerProcess(redis.socket, tmp_path, concurrency=1) as first,
    ):
        until_up(queue, job_id)
        first.signal(signal.SIGSTOP)
        eventually(lambda: is_back(lab, job_id))
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


@pytest.mark.usefixtures("patient")
def test_many_short_jobs_on_several_workers(
    redis: RedisServer, queue: Queue, tmp_path: Path
) -> None:
    jobs = [submit(queue, f"echo {n}") for n in range(100)]
    with WorkerProcess(redis.socket, tmp_path), WorkerProcess(redis.socket, tmp_path, "worker-2"):
        ended = [end_of(queue, job_id) for job_id in jobs]
    assert {job.status for job in ended} == {Status.SUCCEEDED}
    logs = [log(tmp_path, job.id, job.accepted or 0) for job in ended]
    assert logs == [f"{n}\n".encode() for n in range(100)]
    assert {(job.failures, job.crashes) for job in ended} == {(0, 0)}


FUNCTIONS = """
import os, time
from pathlib import Path

def quick(n):
    return n * n

def wait(path, up=None):
    if up is not None:
        Path(up).touch()
    while not os.path.exists(path):
        time.sleep(0.02)
"""


@pytest.fixture
def code(tmp_path: Path) -> str:
    folder = tmp_path / "code" / "src"
    folder.mkdir(parents=True)
    (folder / "tasks.py").write_text(FUNCTIONS)
    return str(tmp_path / "code")


def call(queue: Queue, function: str, count: int = 1, **arguments: Any) -> list[str]:
    specs = [
        JobSpec(id=new_id(), function=f"tasks:{function}", args=json.dumps(arguments))
        for _ in range(count)
    ]
    return [done.id for done in queue.submit(specs)]


@pytest.mark.usefixtures("patient")
def test_many_functions_on_several_workers(
    redis: RedisServer, queue: Queue, tmp_path: Path, code: str
) -> None:
    jobs = [job for _ in range(4) for job in call(queue, "quick", 500, n=7)]
    with (
        WorkerProcess(redis.socket, tmp_path, code=code),
        WorkerProcess(redis.socket, tmp_path, "worker-2", code=code),
    ):
        eventually(lambda: queue.counts()[Status.SUCCEEDED] == len(jobs))
        found = [job for job in queue.get_many(jobs) if job is not None]
    # Some may have been handed back before they began: that is an attempt, and costs nothing.
    assert {(job.result, job.failures, job.crashes) for job in found} == {("49", 0, 0)}


@pytest.mark.usefixtures("patient")
def test_what_waits_behind_a_long_function_runs_elsewhere(
    redis: RedisServer, queue: Queue, tmp_path: Path, go: Path, code: str
) -> None:
    with WorkerProcess(redis.socket, tmp_path, code=code, concurrency=1):
        # It has learnt that jobs are short, and holds many.
        for job_id in call(queue, "quick", 400, n=1):
            end_of(queue, job_id)
        [long] = call(queue, "wait", path=str(go))
        behind = call(queue, "quick", 50, n=2)
        eventually(lambda: queue.get(long).status is Status.RUNNING)
        with WorkerProcess(redis.socket, tmp_path, "worker-2", code=code):
            ended = [end_of(queue, job_id) for job_id in behind]
        assert {job.status for job in ended} == {Status.SUCCEEDED}
        assert {job.worker for job in ended} == {"worker-2"}
        assert {(job.failures, job.crashes) for job in ended} == {(0, 0)}
        go.touch()
        assert end_of(queue, long).status is Status.SUCCEEDED


def test_redis_killed_while_many_functions_run(
    redis: RedisServer, queue: Queue, tmp_path: Path, code: str
) -> None:
    jobs = [job for _ in range(6) for job in call(queue, "quick", 500, n=3)]
    with WorkerProcess(redis.socket, tmp_path, code=code) as worker:
        eventually(lambda: queue.counts()[Status.SUCCEEDED] > 100)
        redis.stop()
        eventually(lambda: "redis-away" in worker.log)
        redis.start()
        eventually(lambda: over(queue) == len(jobs))
        assert queue.counts()[Status.SUCCEEDED] == len(jobs)


def over(queue: Queue) -> int:
    """Ended jobs. Ticks too: what a lost reply handed out comes back only by a heartbeat."""
    queue.tick()
    counts = queue.counts()
    return sum(count for status, count in counts.items() if status.terminal)


def test_a_stopped_worker_hands_back_what_it_holds(
    redis: RedisServer, queue: Queue, tmp_path: Path, go: Path, code: str
) -> None:
    up = tmp_path / "up"
    [running] = call(queue, "wait", path=str(go), up=str(up))
    waiting = call(queue, "wait", 3, path=str(go))
    with WorkerProcess(redis.socket, tmp_path, code=code, concurrency=1, grace=0.0) as worker:
        eventually(up.exists)
        assert worker.stop() == 0
    for job_id in [running, *waiting]:
        job = queue.get(job_id)
        assert (job.status, job.failures, job.crashes) == (Status.QUEUED, 0, 0)


def test_the_folders_of_pruned_jobs_are_deleted(
    redis: RedisServer, queue: Queue, tmp_path: Path
) -> None:
    gone, kept = submit(queue, "echo x > file"), submit(queue, "echo y > file; exit 1")
    with WorkerProcess(redis.socket, tmp_path):
        end_of(queue, gone)
        end_of(queue, kept)
    assert queue.prune(Retention(succeeded=Keep(count=0)), 100) == 1
    with WorkerProcess(redis.socket, tmp_path, "worker-2"), redis.client() as behind:
        eventually(lambda: not (tmp_path / "jobs" / gone).exists())
        eventually(lambda: behind.zcard("{demo}:litter") == 0)
    assert (tmp_path / "jobs" / kept / "1" / "output" / "file").exists()
