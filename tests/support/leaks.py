"""Is every key in Redis owned, and every job in exactly one place? Called after each test."""

from __future__ import annotations

from collections.abc import Iterator

import redis

from jobctl.queue import Status
from jobctl.queue.status import INDEXED
from tests.support.flow_leaks import FlowCheck
from tests.support.snapshot import Snapshot

_PLAIN = {
    *("meta", "queues", "due", "leases", "workers", "events", "queues-state", "rates"),
    *("schedules", "litter", "arrays", "doomed", "followups", "parked-keys", "parked-counts"),
}

# A job with one of these has its claim written in its hash.
_USED = {"attempt", "extras", "options"}


def leaks(client: redis.Redis, project: str) -> list[str]:
    """One line for everything in a project's keys that should not be as it is."""
    return list(_Check(client, f"{{{project}}}:").run())


def _note(job: dict[str, str]) -> str:
    """What a worker's list must say of a job that it holds."""
    if job.keys() & {"extras", "name", "cancelling"}:
        return job["attempt"] + "x"
    return job["attempt"] + ("r" if job["status"] == "running" else "")


class _Check:
    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._redis = Snapshot(client, prefix)
        self._prefix = prefix
        self._keys = {key.removeprefix(prefix) for key in self._redis.keys}
        self._jobs = {
            key.removeprefix("job:"): self._redis.hgetall(prefix + key)
            for key in self._keys
            if key.startswith("job:")
        }
        self._unwritten = dict(self._unwritten_claims())
        self._flow = FlowCheck(self._redis, prefix, self._keys, self._jobs)

    def _unwritten_claims(self) -> Iterator[tuple[str, str]]:
        """Jobs whose claim is noted, but not in their hash; from here on they are claimed."""
        for key in self._keys:
            if key.startswith("held:"):
                for job_id, noted in self._redis.hgetall(self._prefix + key).items():
                    job = self._jobs.get(job_id, {})
                    fresh = job.get("status") == "queued" and not job.keys() & _USED
                    if noted.startswith("1c") and fresh:
                        holder = key.removeprefix("held:")
                        job |= {"status": "claimed", "attempt": "1", "incarnation": holder}
                        yield job_id, noted

    def run(self) -> Iterator[str]:
        yield from self._unowned()
        yield from self._misplaced()
        yield from self._misqueued()
        yield from self._unheld()
        yield from self._sleepy()
        yield from self._kept_waiting()
        yield from self._flow.run()

    def _unowned(self) -> Iterator[str]:
        """Keys that belong to nothing that exists."""
        incarnations = set(self._redis.hvals(self._prefix + "workers"))
        # Jobs may outlast the record of their worker until its lease ends.
        holders = incarnations | {job.get("incarnation") for job in self._jobs.values()}
        names = {(job["status"], job["name"]) for job in self._jobs.values() if "name" in job}
        in_queues = {key.removeprefix("queue:") for key in self._keys if key.startswith("queue:")}
        queues = {job["queue"] for job in self._jobs.values()}
        for key in sorted(self._keys - _PLAIN):
            kind, _, rest = key.partition(":")
            owned = {
                "job": True,
                "jobs": rest in INDEXED,
                "named": tuple(rest.split(":", 1)) in names,
                "queue": rest in queues,
                # A queue with nothing in it has a token if something in it is soon due.
                "wake": rest in queues,
                "held": rest in holders,
                "worker": rest in incarnations,
                "inbox": rest in incarnations,
                "waiting": True,
                "handed": rest in incarnations,
                "guard": self._redis.pttl(self._prefix + key) > 0,
                "trial": self._redis.pttl(self._prefix + key) > 0,
                "gauges": self._redis.pttl(self._prefix + key) > 0,
                "bucket": self._redis.pttl(self._prefix + key) > 0,
            }.get(kind)
            if not (self._flow.owned(kind, rest) if owned is None else owned):
                yield f"nobody owns the key {key}"
        if set(self._redis.members(self._prefix + "queues")) != in_queues:
            yield f"'queues' is not {sorted(in_queues)}"

    def _misplaced(self) -> Iterator[str]:
        """Every job is in its status' index and in no other."""
        for status in INDEXED:
            expected = self._with_status(status)
            if (found := self._zset(f"jobs:{status}")) != expected:
                yield f"jobs:{status} is off by {sorted(found ^ expected)}"
        for key in self._keys:
            if key.startswith("named:"):
                _, one, name = key.split(":", 2)
                same = self._with_status(one)
                expected = {i for i in same if self._jobs[i].get("name") == name}
                if (found := self._zset(key)) != expected:
                    yield f"{key} is off by {sorted(found ^ expected)}"
        if (found := self._zset("due")) != (expected := self._with_status("scheduled")):
            yield f"due is off by {sorted(found ^ expected)}"

    def _misqueued(self) -> Iterator[str]:
        """Every queued job is in its queue, or parked for its concurrency key; never both."""
        places: list[str] = []
        for key in self._keys:
            kind, _, rest = key.partition(":")
            if kind not in ("queue", "parked"):
                continue
            for job_id in self._zset(key):
                places.append(job_id)
                job = self._jobs.get(job_id, {})
                field = "queue" if kind == "queue" else "concurrency_key"
                if job.get("status") != "queued" or job.get(field) != rest:
                    yield f"{key} has {job_id}, which does not belong there"
        if sorted(places) != sorted(self._with_status("queued")):
            yield f"the queues have {sorted(places)}, not {sorted(self._with_status('queued'))}"

    def _unheld(self) -> Iterator[str]:
        """Claimed and running jobs have a holder with a lease; no others have."""
        held = {i: job for i, job in self._jobs.items() if Status(job["status"]).held}
        leased = self._zset("leases")
        for key in self._keys:
            if key.startswith("held:"):
                holder = key.removeprefix("held:")
                if holder not in leased:
                    yield f"{holder} holds jobs without a lease"
                for job_id, noted in self._redis.hgetall(self._prefix + key).items():
                    job = held.get(job_id, {})
                    if job.get("incarnation") != holder:
                        yield f"{key} has {job_id}, which {holder} does not hold"
                    elif noted != (due := self._unwritten.get(job_id) or _note(job)):
                        yield f"{key} notes {noted} for {job_id}, not {due}"
        known = set(self._redis.hvals(self._prefix + "workers"))
        for incarnation in leased - known:
            if f"held:{incarnation}" not in self._keys:
                yield f"{incarnation} has a lease, but is nobody and holds nothing"
        for job_id, job in held.items():
            holder = job["incarnation"]
            if not self._redis.hexists(f"{self._prefix}held:{holder}", job_id):
                yield f"held:{holder} lacks {job_id}"
        for job_id, job in self._jobs.items():
            waits = job["status"] in {"blocked", "queued", "scheduled"}
            if waits and job.keys() & {"incarnation", "worker", "claimed_at", "started_at"}:
                yield f"{job_id} is {job['status']} but still names its worker"
            if job["status"] != "running" and "cancelling" in job:
                yield f"{job_id} is {job['status']} but still being cancelled"
            if job["status"] not in {"blocked", "scheduled"} and "due_at" in job:
                yield f"{job_id} is {job['status']} but still due"

    def _sleepy(self) -> Iterator[str]:
        """A queue from which something can be claimed has something that wakes a worker."""
        paused = self._redis.hgetall(self._prefix + "queues-state")
        limited = self._redis.hgetall(self._prefix + "rates")
        for key in self._keys:
            if key.startswith("queue:"):
                queue = key.removeprefix("queue:")
                tokens = len(self._redis.members(f"{self._prefix}wake:{queue}"))
                length = len(self._redis.members(self._prefix + key))
                held_back = paused.get(queue) == "paused" or f"start:{queue}" in limited
                least = 0 if held_back else 1
                if not least <= tokens <= min(length, 64):
                    yield f"wake:{queue} has {tokens} tokens for {length} jobs"

    def _kept_waiting(self) -> Iterator[str]:
        """Who waits for a queue says so itself, and nobody does while something can be claimed."""
        waiting = {
            (key.removeprefix("waiting:"), incarnation)
            for key in self._keys
            if key.startswith("waiting:")
            for incarnation in self._zset(key)
        }
        said: set[tuple[str, str]] = set()
        for key in self._keys:
            if key.startswith("worker:"):
                worker = self._redis.hgetall(self._prefix + key)
                incarnation = key.removeprefix("worker:")
                said |= {(queue, incarnation) for queue in worker.get("waits_for", "").split()}
                if ("room" in worker) != ("waits_for" in worker):
                    yield f"{incarnation} waits for something, but not for how much"
                if "waits_for" in worker and f"handed:{incarnation}" in self._keys:
                    yield f"{incarnation} waits, but was handed something"
            elif key.startswith("handed:") and len(self._redis.members(self._prefix + key)) != 1:
                yield f"{key} has more than one entry"
        if waiting != said:
            yield f"waiting is off by {sorted(waiting ^ said)}"
        paused = self._redis.hgetall(self._prefix + "queues-state")
        limited = self._redis.hgetall(self._prefix + "rates")
        for queue, incarnation in sorted(waiting):
            open_ = paused.get(queue) != "paused" and f"start:{queue}" not in limited
            if open_ and f"queue:{queue}" in self._keys:
                yield f"{incarnation} waits, although {queue} is not empty"

    def _with_status(self, status: str) -> set[str]:
        return {i for i, job in self._jobs.items() if job["status"] == status}

    def _zset(self, key: str) -> set[str]:
        return set(self._redis.members(self._prefix + key))
