"""Workers while Redis is ill in every way: they go on by themselves, and no work is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.queue import Full, JobSpec, Queue, Status, Unavailable, connect, new_id
from tests.support.eventually import eventually
from tests.support.leaks import leaks
from tests.support.redis_server import RedisServer
from tests.support.sick_redis import (
    OPTIONS,
    REFUSING,
    Illness,
    emptied_of_functions,
    full,
    said,
)
from tests.support.worker_process import WorkerProcess

FUNCTIONS = """
import os, time
from pathlib import Path

def square(n):
    return n * n

def wait(path, up):
    Path(up).touch()
    while not os.path.exists(path):
        time.sleep(0.02)
    Path(up).unlink()
"""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer(*OPTIONS) as server:
        yield server


@pytest.fixture
def queue(redis: RedisServer) -> Iterator[Queue]:
    queue = connect("", project="demo", unix_socket_path=redis.socket)
    queue.ensure_library()
    yield queue
    queue.close()


@pytest.fixture
def code(tmp_path: Path) -> str:
    folder = tmp_path / "code" / "src"
    folder.mkdir(parents=True)
    (folder / "tasks.py").write_text(FUNCTIONS)
    return str(tmp_path / "code")


def call(queue: Queue, function: str, **arguments: object) -> str:
    spec = JobSpec(id=new_id(), function=f"tasks:{function}", args=json.dumps(arguments))
    [done] = queue.submit([spec])
    return done.id


def running(queue: Queue, folder: Path) -> tuple[str, Path]:
    """A job that has begun and ends when the file is there."""
    go, up = folder / "go", folder / "up"
    job_id = call(queue, "wait", path=str(go), up=str(up))
    eventually(up.exists)
    # With no call of the worker on its way that the illness could meet half done.
    eventually(lambda: queue.get(job_id).status is Status.RUNNING)
    return job_id, go


def all_well(redis: RedisServer, queue: Queue, *ids: str) -> None:
    """These jobs end at their first attempt, and so does what is submitted now."""
    for job_id in (*ids, call(queue, "square", n=5)):
        eventually(lambda job_id=job_id: queue.get(job_id).status.terminal)  # type: ignore[misc]
        job = queue.get(job_id)
        assert (job.status, job.attempt, job.crashes) == (Status.SUCCEEDED, 1, 0)
    with redis.client() as behind:
        assert leaks(behind, "demo") == []


@pytest.mark.parametrize("illness", REFUSING, ids=lambda illness: illness.__name__)
def test_a_worker_outlives(
    illness: Illness, redis: RedisServer, queue: Queue, tmp_path: Path, code: str
) -> None:
    with WorkerProcess(redis.socket, tmp_path, code=code) as worker:
        job_id, go = running(queue, tmp_path)
        with illness(redis):
            # The job ends while nobody can be told.
            go.touch()
            eventually(lambda: not (tmp_path / "up").exists())
            eventually(lambda: "redis-away" in worker.log)
            with pytest.raises(Unavailable):
                call(queue, "square", n=1)
        all_well(redis, queue, job_id)
        assert [found.name for found in queue.workers()] == ["worker-1"]
        assert worker.process.poll() is None


def test_a_worker_loads_the_functions_that_are_gone(
    redis: RedisServer, queue: Queue, tmp_path: Path, code: str
) -> None:
    with WorkerProcess(redis.socket, tmp_path, code=code):
        job_id, go = running(queue, tmp_path)
        with emptied_of_functions(redis):
            eventually(lambda: "jobctl" in said(redis, "FUNCTION LIST"))
        go.touch()
        all_well(redis, queue, job_id)


def test_a_worker_finishes_what_it_has_while_redis_is_full(
    redis: RedisServer, queue: Queue, tmp_path: Path, code: str
) -> None:
    with WorkerProcess(redis.socket, tmp_path, code=code):
        job_id, go = running(queue, tmp_path)
        with full(redis):
            with pytest.raises(Full):
                call(queue, "square", n=1)
            go.touch()
            eventually(lambda: queue.get(job_id).status is Status.SUCCEEDED)
        all_well(redis, queue, job_id)


def test_a_worker_whose_redis_was_emptied_begins_again(
    redis: RedisServer, queue: Queue, tmp_path: Path, code: str
) -> None:
    with WorkerProcess(redis.socket, tmp_path, code=code) as worker:
        _, go = running(queue, tmp_path)
        said(redis, "FLUSHALL")
        go.touch()
        eventually(lambda: [found.name for found in queue.workers()] == ["worker-1"])
        all_well(redis, queue)
        assert worker.process.poll() is None
