"""A queue on a test's Redis, and what time would do to it: leases end, backoffs pass.

Nothing here sleeps. The library only knows Redis' clock, so instead of moving the clock
the instants that it compares with the clock are rewritten.
"""

from __future__ import annotations

import time
from types import TracebackType

from jobctl.queue import Cause, JobSpec, Outcome, Queue, WorkerInfo, connect, new_id
from tests.support.redis_server import RedisServer

LEASE = 60.0
OK = Outcome(True, exit_code=0)
FAILED = Outcome(False, Cause.EXIT, exit_code=1)


class Lab:
    """Use as a context manager; at the end all keys of the project are deleted."""

    def __init__(self, server: RedisServer, project: str) -> None:
        self.server = server
        self.project = project
        self.prefix = f"{{{project}}}:"
        self.redis = server.client()
        self.queue: Queue = connect("", project=project, unix_socket_path=server.socket)

    def __enter__(self) -> Lab:
        self.queue.configure(lease=LEASE)
        self.queue.tick()
        self.end_grace()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for key in list(self.redis.scan_iter(f"{self.prefix}*")):
            self.redis.delete(key)
        self.redis.close()
        self.queue.close()

    def submit(self, count: int = 1, **fields: object) -> list[str]:
        """Submit jobs and return their ids in order."""
        specs = [
            JobSpec(id=new_id(), argv=("true",), **fields)  # type: ignore[arg-type]
            for _ in range(count)
        ]
        return [done.id for done in self.queue.submit(specs)]

    def worker(self, incarnation: str, name: str = "worker-1") -> str:
        """Register a worker and return its incarnation."""
        self.queue.register(WorkerInfo(name, "default", f"c-{incarnation}", incarnation, 2))
        return incarnation

    def claim(self, incarnation: str, n: int = 1) -> list[tuple[str, int]]:
        """Claim from the default queue; the leases."""
        jobs = self.queue.claim(incarnation, n, ["default"]).jobs
        return [(job.id, job.attempt) for job in jobs]

    def running(self, incarnation: str = "inc-1", **fields: object) -> tuple[str, int]:
        """A job that runs on a registered worker."""
        self.submit(1, **fields)
        self.worker(incarnation)
        leases = self.claim(incarnation)
        self.queue.start(incarnation, leases)
        return leases[0]

    # -- time

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def end_grace(self) -> None:
        """As if the grace after a gap were over; somebody has swept just now."""
        self.redis.hset(f"{self.prefix}meta", mapping={"grace_until": 0, "swept_at": self.now_ms()})

    def nobody_swept_for(self, seconds: float) -> None:
        then = self.now_ms() - round(seconds * 1000)
        self.redis.hset(f"{self.prefix}meta", "swept_at", str(then))

    def expire(self, incarnation: str) -> None:
        """As if the worker had not renewed its lease for long."""
        self.redis.zadd(f"{self.prefix}leases", {incarnation: 1}, xx=True)

    def age_claim(self, job_id: str) -> None:
        """As if a job had been claimed long ago."""
        self.redis.hset(f"{self.prefix}job:{job_id}", "claimed_at", "1")

    def make_due(self, job_id: str) -> None:
        """As if a scheduled job's time had come."""
        self.redis.zadd(f"{self.prefix}due", {job_id: 1}, xx=True)

    def silence(self, incarnation: str, leases: float) -> None:
        """As if a worker's last word were that many leases ago."""
        key = f"{self.prefix}worker:{incarnation}"
        then = self.now_ms() - round(leases * LEASE * 1000)
        self.redis.hset(key, "heartbeat_at", str(then))
        if self.redis.hexists(key, "awake_until"):
            self.redis.hset(key, "awake_until", str(then + round(LEASE / 2 * 1000)))
