"""A real master on a loopback port, over a real Redis, with a worker played by the test."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from jobctl.client import Client
from jobctl.master.app import create_app
from jobctl.master.server import Server, make_server
from jobctl.master.settings import Limits, Settings
from jobctl.queue import (
    ClaimedJob,
    Finish,
    JobSpec,
    Outcome,
    Queue,
    WorkerInfo,
    connect,
    connect_async,
    new_id,
)
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer

TOKEN = "the-token"


class RunningMaster:
    """A master in a thread; `stop` and `start` again on the same port at will."""

    def __init__(self, redis: RedisServer, folder: Path, **limits: Any) -> None:
        self.project = f"m{new_id().lower()[-12:]}"
        self.redis = redis
        self.jobs_dir = folder / "jobs"
        self.jobs_dir.mkdir()
        self.settings = Settings(
            project=self.project,
            token=TOKEN,
            redis_password="unused",
            jobs_dir=self.jobs_dir,
            alive_file=folder / "alive",
            tick_interval=0.05,
            limits=Limits(**{"log_poll": 0.01, "stream_heartbeat": 0.2, **limits}),
        )
        self.port = free_port()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        # With its protocol said, asyncio turns Nagle's delays off, as on sockets of its own making.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        # From here on connections wait until they are served: no need to wait for the start.
        listener.listen(128)
        queue = connect_async("", project=self.project, unix_socket_path=self.redis.socket)
        self.app = create_app(self.settings, queue)
        self._server = make_server(self.app, self.settings)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join()
            self._server = self._thread = None

    def client(self, **options: Any) -> Client:
        return Client(self.url, TOKEN, **options)

    def queue(self) -> Queue:
        return connect("", project=self.project, unix_socket_path=self.redis.socket)


class PlayedWorker:
    """What a worker does to the queue and the jobs volume, done step by step by a test."""

    def __init__(self, master: RunningMaster, name: str = "worker-1") -> None:
        self.queue = master.queue()
        self.incarnation = new_id()
        self._jobs_dir = master.jobs_dir
        self.queue.register(
            WorkerInfo(
                name=name,
                pool="default",
                container="c0ffee",
                incarnation=self.incarnation,
                concurrency=2,
                queues=("default",),
            )
        )

    def claim(self) -> ClaimedJob:
        [job] = self.queue.claim(self.incarnation, 1, ["default"]).jobs
        return job

    def start(self) -> ClaimedJob:
        job = self.claim()
        self.queue.start(self.incarnation, [(job.id, job.attempt)])
        return job

    def finish(self, job: ClaimedJob, outcome: Outcome | None = None) -> None:
        end = Finish(job.id, job.attempt, outcome or Outcome(succeeded=True, exit_code=0))
        self.queue.finish(self.incarnation, [end])

    def folder(self, job: ClaimedJob) -> Path:
        folder = self._jobs_dir / job.id / str(job.attempt)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write(self, job: ClaimedJob, data: bytes) -> None:
        with (self.folder(job) / "log").open("ab") as log:
            log.write(data)

    def output(self, job: ClaimedJob) -> Path:
        output = self.folder(job) / "output"
        output.mkdir(exist_ok=True)
        return output


@contextlib.contextmanager
def running_master(
    redis: RedisServer, folder: Path, said: Mapping[str, Any] | None = None, **limits: Any
) -> Iterator[RunningMaster]:
    """Start a master on a project of its own and wait until it is ready.

    ``said`` are settings as the cluster gives them.
    """
    made = RunningMaster(redis, folder, **limits)
    made.settings = Settings.model_validate({**made.settings.model_dump(), **(said or {})})
    with made as master:
        with master.client() as client:
            ready = threading.Event()
            while not client.ready()["ready"]:
                ready.wait(0.01)
        yield master


def submit(worker: PlayedWorker, **fields: Any) -> str:
    job_id = new_id()
    worker.queue.submit([JobSpec(id=job_id, argv=("true",), **fields)])
    return job_id


def started(worker: PlayedWorker, **fields: Any) -> ClaimedJob:
    job_id = submit(worker, **fields)
    job = worker.start()
    assert job.id == job_id
    return job


def error_of(answer: httpx.Response) -> dict[str, object]:
    detail: dict[str, object] = answer.json()["error"]
    assert {"code", "message", "hint"} <= detail.keys()
    return detail
