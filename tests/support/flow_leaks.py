"""The part of the leak check that looks at flows, arrays, limits and keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from jobctl.queue.status import TERMINAL
from tests.support.snapshot import Snapshot


class FlowCheck:
    """Looks at the keys and jobs that the leak check has read."""

    def __init__(
        self, client: Snapshot, prefix: str, keys: set[str], jobs: dict[str, dict[str, str]]
    ) -> None:
        self._redis = client
        self._prefix = prefix
        self._keys = keys
        self._jobs = jobs
        self._arrays: dict[str, dict[str, str]] = {
            key.removeprefix("array:"): client.hgetall(prefix + key)
            for key in keys
            if key.startswith("array:")
        }
        followups = client.members(prefix + "followups")
        self._told = {entry.split()[0] for entry in followups} | self._open()
        self._limits = {(job["status"], job.get("concurrency_key")) for job in jobs.values()}
        self._words = {job.get("key") for job in jobs.values()}

    def owned(self, kind: str, rest: str) -> bool:
        """Whether something that exists owns a key of this kind."""
        return {
            "key": rest in self._words,
            "array": True,
            "members": rest in self._arrays,
            "children": rest in self._told,
            "parked": ("queued", rest) in self._limits,
            "holders": bool({("claimed", rest), ("running", rest)} & self._limits),
        }.get(kind, False)

    def run(self) -> Iterator[str]:
        """One line for everything that is not as it should be."""
        yield from self._keyless()
        yield from self._crowded()
        yield from self._waiting()
        yield from self._miscounted()

    def _open(self) -> set[str]:
        jobs = {i for i, job in self._jobs.items() if job["status"] not in TERMINAL}
        return jobs | {i for i, array in self._arrays.items() if "over" not in array}

    def _keyless(self) -> Iterator[str]:
        for job_id, job in self._jobs.items():
            if "key" in job and self._redis.get(f"{self._prefix}key:{job['key']}") != job_id:
                yield f"the key {job['key']!r} of {job_id} does not lead to it"

    def _crowded(self) -> Iterator[str]:
        """The holders of a concurrency key are the held jobs that have it."""
        held: dict[str, set[str]] = {}
        for job_id, job in self._jobs.items():
            if "concurrency_key" in job and job["status"] in ("claimed", "running"):
                held.setdefault(job["concurrency_key"], set()).add(job_id)
        for key in self._keys:
            if key.startswith("holders:"):
                name = key.removeprefix("holders:")
                if set(self._redis.members(self._prefix + key)) != held.pop(name, set()):
                    yield f"{key} is not those that hold it"
        if held:
            yield f"nobody holds the concurrency keys {sorted(held)}"
        parked = {key.removeprefix("parked:") for key in self._keys if key.startswith("parked:")}
        if set(self._redis.members(self._prefix + "parked-keys")) != parked:
            yield f"'parked-keys' is not {sorted(parked)}"
        counts = Counter(
            self._jobs[job_id]["queue"]
            for key in parked
            for job_id in self._redis.members(f"{self._prefix}parked:{key}")
        )
        found = self._redis.hgetall(self._prefix + "parked-counts")
        if found != {queue: str(count) for queue, count in counts.items()}:
            yield f"'parked-counts' is {found}, not {dict(counts)}"

    def _waiting(self) -> Iterator[str]:
        """A blocked job waits for as many as it says, and is marked where it must be."""
        waits: Counter[str] = Counter()
        for key in self._keys:
            if key.startswith("children:"):
                parent = key.removeprefix("children:")
                waits.update(self._redis.members(self._prefix + key))
                if parent in self._jobs and "c" not in self._jobs[parent].get("extras", ""):
                    yield f"{parent} does not know of its children"
        for job_id, job in self._jobs.items():
            if job["status"] == "blocked":
                if not 0 < int(job.get("blockers", 0)) == waits[job_id]:
                    yield f"{job_id} has blockers {job.get('blockers')}, waits for {waits[job_id]}"
                if job_id not in self._redis.members(self._prefix + "jobs:blocked"):
                    yield f"{job_id} is blocked, but not listed so"
            elif "blockers" in job:
                yield f"{job_id} is {job['status']}, but has blockers"

    def _miscounted(self) -> Iterator[str]:
        if set(self._redis.members(self._prefix + "arrays")) != set(self._arrays):
            yield f"'arrays' is not {sorted(self._arrays)}"
        for array_id, array in self._arrays.items():
            members = set(self._redis.members(f"{self._prefix}members:{array_id}"))
            expected = {i for i, job in self._jobs.items() if job.get("array") == array_id}
            if members != expected:
                yield f"members:{array_id} is off by {sorted(members ^ expected)}"
            ended = Counter(self._jobs[i]["status"] for i in members & self._jobs.keys())
            counts = {s: int(array.get(s, 0)) for s in ("succeeded", "failed", "cancelled")}
            # Of a restored array that was over, jobs may be missing that nobody counted as gone.
            good = all(
                n == (there := ended[status] + int(array.get(f"gone_{status}", 0)))
                or ("counted" in array and n > there)
                for status, n in counts.items()
            )
            if not good:
                yield f"array {array_id} counts {json.dumps(counts)}, has {dict(ended)}"
