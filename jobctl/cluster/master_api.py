"""The few requests of the master that bringing a cluster up and down needs.

Standard library only: `jobctl up` should not pay for importing an HTTP client. One instance serves
one thread and keeps its connection.
"""

import http.client
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from jobctl.cluster.errors import MasterRefused, MasterSilent

_ANSWER_WITHIN = 3.0


@dataclass(frozen=True)
class WorkerLoad:
    """What the master knows of a worker: its container's short id, the ids of jobs it holds.

    ``started_at`` is when it registered, in seconds since the epoch by Redis' clock; 0 if unknown.
    """

    name: str
    container: str
    status: str
    jobs: tuple[str, ...] = ()
    started_at: float = 0.0

    @property
    def draining(self) -> bool:
        """Whether it takes no more jobs."""
        return self.status in ("draining", "drained")


@dataclass(frozen=True)
class Readiness:
    """The master's answer to ``/readyz``: worker name → short id of its container."""

    redis: bool
    workers: dict[str, str]
    reason: str = ""


class MasterApi:
    """The master at an address such as ``http://127.0.0.1:8470``."""

    def __init__(self, url: str, token: str = "", timeout: float = _ANSWER_WITHIN) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "127.0.0.1", parts.port, timeout=timeout
        )
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def readiness(self) -> Readiness:
        """Ask for ``/readyz``; MasterSilent while nothing answers."""
        try:
            answer = self._ask("GET", "/readyz")
        except MasterRefused as refusal:
            return Readiness(redis=False, workers={}, reason=str(refusal))
        rows = answer.get("workers", [])
        return Readiness(
            redis=bool(answer.get("redis")),
            workers={row["name"]: row["container"] for row in rows if row.get("status") != "lost"},
            reason=str(answer.get("reason", "")),
        )

    def workers(self) -> dict[str, WorkerLoad]:
        """Return the registered workers by name."""
        rows = self._ask("GET", "/workers").get("workers", [])
        return {row["name"]: _load(row) for row in rows}

    def drain(self, worker: str, grace: float | None) -> None:
        """Let a worker take no more jobs, and hand back after ``grace`` seconds what still runs."""
        self._ask("POST", f"/workers/{quote(worker)}/drain", {"grace": grace})

    def undrain(self, worker: str) -> None:
        """Let a worker take jobs again."""
        self._ask("POST", f"/workers/{quote(worker)}/undrain")

    def trial(self, worker: str) -> None:
        """Let whoever registers under this name next get nothing but canaries until undrained."""
        self._ask("POST", f"/workers/{quote(worker)}/trial")

    def canary(self, worker: str) -> str:
        """Submit a small job for this worker alone; return its id."""
        return str(self._ask("POST", f"/workers/{quote(worker)}/canary")["id"])

    def status(self, job: str) -> str:
        """Return a job's status; "" when there is no such job."""
        row = self._ask("POST", "/jobs:status", {"ids": [job]}).get("jobs", {}).get(job)
        return str(row["status"]) if row else ""

    def reason(self, job: str) -> str:
        """Return why a job ended as it did, in a few words; "" when nothing is said."""
        row = self._ask("GET", f"/jobs/{quote(job)}")
        return ", ".join(str(row[key]) for key in ("cause", "reason") if row.get(key))

    def cancel(self, job: str) -> None:
        """Cancel a job."""
        self._ask("POST", f"/jobs/{quote(job)}/cancel")

    def unfinished(self, ids: list[str]) -> int:
        """Return how many of the jobs have not ended."""
        if not ids:
            return 0
        rows = self._ask("POST", "/jobs:status", {"ids": ids}).get("jobs", {})
        ended = ("succeeded", "failed", "cancelled")
        return sum(1 for row in rows.values() if row and row.get("status") not in ended)

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        headers = {**self._headers, "Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, data, headers)
            response = self._connection.getresponse()
            status, text = response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            # The next request must not meet the rest of this one.
            self._connection.close()
            raise MasterSilent(f"The master does not answer: {error}.", "jobctl ps") from error
        try:
            answer = json.loads(text) if text else {}
        except ValueError:
            answer = {}
        if not isinstance(answer, dict):
            answer = {}
        if status >= 400:
            raise _refusal(status, answer)
        return answer


def _load(row: dict[str, Any]) -> WorkerLoad:
    started = row.get("started_at")
    return WorkerLoad(
        name=row["name"],
        container=row.get("container", ""),
        status=row.get("status", ""),
        jobs=tuple(row.get("jobs", ())),
        started_at=datetime.fromisoformat(started).timestamp() if started else 0.0,
    )


def _refusal(status: int, answer: dict[str, Any]) -> MasterRefused:
    error = answer.get("error")
    if isinstance(error, dict):
        return MasterRefused(
            str(error.get("message") or f"The master answered {status}."),
            status,
            str(error.get("hint", "")),
        )
    return MasterRefused(str(answer.get("reason") or f"The master answered {status}."), status)
