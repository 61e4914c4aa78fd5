"""Is every key in Redis owned, and every job in exactly one place? Called after each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis

from jobctl.queue import Status

_PLAIN = {"meta", "queues", "due", "leases", "workers", "events"}


def leaks(client: redis.Redis, project: str) -> list[str]:
    """One line for everything in a project's keys that should not be as it is."""
    return list(_Check(client, f"{{{project}}}:").run())


class _Check:
    def __init__(self, client: redis.Redis, prefix: str) -> None:
        behind: Any = client  # redis-py types every reply as sync or async
        self._redis = behind
        self._prefix = prefix
        self._keys = {key.removeprefix(prefix) for key in client.scan_iter(f"{prefix}*")}
        self._jobs: dict[str, dict[str, str]] = {
            key.removeprefix("job:"): behind.hgetall(prefix + key)
            for key in self._keys
            if key.startswith("job:")
        }

    def run(self) -> Iterator[str]:
        yield from self._unowned()
        yield from self._misplaced()
        yield from self._unheld()
        yield from self._sleepy()

    def _unowned(self) -> Iterator[str]:
        """Keys that belong to nothing that exists."""
        incarnations = set(self._redis.hvals(self._prefix + "workers"))
        # Jobs may outlast the record of their worker until their leases end.
        holders = incarnations | {job.get("incarnation") for job in self._jobs.values()}
        names = {(job["status"], job["name"]) for job in self._jobs.values() if "name" in job}
        queues = {job["queue"] for job in self._jobs.values() if job["status"] == "queued"}
        for key in sorted(self._keys - _PLAIN):
            kind, _, rest = key.partition(":")
            owned = {
                "job": True,
                "jobs": rest in set(Status),
                "named": tuple(rest.split(":", 1)) in names,
                "queue": rest in queues,
                "wake": rest in queues,
                "held": rest in holders,
                "worker": rest in incarnations,
                "inbox": rest in incarnations,
            }.get(kind, False)
            if not owned:
                yield f"nobody owns the key {key}"
        if set(self._redis.smembers(self._prefix + "queues")) != queues:
            yield f"'queues' is not {sorted(queues)}"

    def _misplaced(self) -> Iterator[str]:
        """Every job is in its status' index and in no other."""
        for status in Status:
            expected = {i for i, job in self._jobs.items() if job["status"] == status}
            if (found := self._zset(f"jobs:{status}")) != expected:
                yield f"jobs:{status} is off by {sorted(found ^ expected)}"
        for key in self._keys:
            if key.startswith("named:"):
                _, status, name = key.split(":", 2)
                expected = {
                    i
                    for i, job in self._jobs.items()
                    if job["status"] == status and job.get("name") == name
                }
                if (found := self._zset(key)) != expected:
                    yield f"{key} is off by {sorted(found ^ expected)}"
        scheduled = {i for i, job in self._jobs.items() if job["status"] == "scheduled"}
        if (found := self._zset("due")) != scheduled:
            yield f"due is off by {sorted(found ^ scheduled)}"
        for queue in {job["queue"] for job in self._jobs.values()}:
            queued = {
                i
                for i, job in self._jobs.items()
                if job["status"] == "queued" and job["queue"] == queue
            }
            if (found := self._zset(f"queue:{queue}")) != queued:
                yield f"queue:{queue} is off by {sorted(found ^ queued)}"

    def _unheld(self) -> Iterator[str]:
        """Claimed and running jobs have a lease and a holder; no others have."""
        held = {i: job for i, job in self._jobs.items() if Status(job["status"]).held}
        if (found := self._zset("leases")) != set(held):
            yield f"leases is off by {sorted(found ^ set(held))}"
        for key in self._keys:
            if key.startswith("held:"):
                holder = key.removeprefix("held:")
                for job_id in self._redis.smembers(self._prefix + key):
                    if held.get(job_id, {}).get("incarnation") != holder:
                        yield f"{key} has {job_id}, which {holder} does not hold"
        for job_id, job in held.items():
            holder = job["incarnation"]
            if not self._redis.sismember(f"{self._prefix}held:{holder}", job_id):
                yield f"held:{holder} lacks {job_id}"
        for job_id, job in self._jobs.items():
            waits = job["status"] in {"queued", "scheduled"}
            if waits and job.keys() & {"incarnation", "worker", "claimed_at", "started_at"}:
                yield f"{job_id} is {job['status']} but still names its worker"
            if job["status"] != "running" and "cancelling" in job:
                yield f"{job_id} is {job['status']} but still being cancelled"

    def _sleepy(self) -> Iterator[str]:
        """A queue that is not empty has something that wakes a worker."""
        for key in self._keys:
            if key.startswith("queue:"):
                wake = key.replace("queue:", "wake:", 1)
                tokens = self._redis.llen(self._prefix + wake)
                length = self._redis.zcard(self._prefix + key)
                if not 1 <= tokens <= min(length, 64):
                    yield f"{wake} has {tokens} tokens for {length} jobs"

    def _zset(self, key: str) -> set[str]:
        return set(self._redis.zrange(self._prefix + key, 0, -1))
