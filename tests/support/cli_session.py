"""The command line with fakes in place of the engine and the master."""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobctl.cli.context import Parts
from jobctl.cli.main import main
from jobctl.cli.output import Output
from jobctl.client import UnknownJob

NOW = 1_769_860_800.0  # 2026-01-31T12:00:00Z
A, B, C = (f"01ARZ3NDEKTSV4RRFFQ69G5FA{letter}" for letter in "VWX")


@dataclass(frozen=True)
class Ran:
    """How one command line ended."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> Any:
        """The only line of stdout, as JSON."""
        [line] = self.out.splitlines()
        return json.loads(line)


@dataclass(frozen=True)
class Where:
    """A connection."""

    url: str = "http://127.0.0.1:1"
    token: str = "secret"


def job(job_id: str = A, **fields: Any) -> dict[str, Any]:
    """Return a job as the master shows it."""
    return {
        "id": job_id,
        "name": "",
        "argv": ["echo", "hi there"],
        "env": {},
        "has_stdin": False,
        "status": "succeeded",
        "cause": None,
        "exit_code": 0,
        "signal": None,
        "reason": "",
        "step": "",
        "progress": None,
        "checkpoint": "",
        "submitted_at": "2026-01-31T11:59:00.000Z",
        "claimed_at": None,
        "started_at": "2026-01-31T11:59:30.000Z",
        "finished_at": "2026-01-31T11:59:42.000Z",
        "due_at": None,
        "attempt": 1,
        "failures": 0,
        "crashes": 0,
        "losses": 0,
        "run": 1,
        "function": "",
        "args": None,
        "result": None,
        "queue": "default",
        "priority": 0,
        "key": "",
        "concurrency": None,
        "after": [],
        "after_policy": "succeeded",
        "blockers": 0,
        "retry": {"max_attempts": 1, "backoff": 1.0, "max_backoff": 60.0, "jitter": 0.2, "on": {}},
        "timeout": None,
        "grace": 10.0,
        "worker": "worker-1",
        "cancelling": False,
        "accepted": 1,
        "array": "",
        "array_index": None,
        "history": [],
        **fields,
    }


class FakeClient:
    """A master that knows a few jobs and remembers what it was asked."""

    def __init__(self, *jobs: dict[str, Any]) -> None:
        self.known = {one["id"]: one for one in jobs}
        self.submitted: list[dict[str, Any]] = []
        self.keys: dict[str, str] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.events: Callable[[], Iterator[Any]] = lambda: iter(())
        self.files: list[dict[str, Any]] = []
        self.explanation: dict[str, Any] = {"summary": "It is queued.", "reasons": []}
        self.queue_rows: list[dict[str, Any]] = []
        self.schedule_rows: list[dict[str, Any]] = []
        self.complete = True
        self.whole = False
        self.on_rate: Callable[[float], None] = lambda _seconds: None
        self.closed = False

    def submit(self, spec: dict[str, Any]) -> dict[str, Any]:
        self.submitted.append(spec)
        return job(self.keys.get(spec.get("key", ""), spec.get("id", A)))

    def submit_many(
        self,
        specs: Iterable[dict[str, Any]],
        accepted: Callable[[int], None] | None = None,
        whole: bool = False,
    ) -> list[str]:
        self.whole = whole
        for spec in specs:
            self.submitted.append(spec)
        return [self.keys.get(spec.get("key", ""), spec["id"]) for spec in self.submitted]

    def open_array(self, array_id: str, size: int, max_fails: int | None = None) -> dict[str, Any]:
        self.calls.append(("open_array", array_id, size, max_fails))
        return self.array(array_id)

    def array(self, array_id: str) -> dict[str, Any]:
        counts = {"succeeded": 1, "failed": 0, "cancelled": 2}
        return {"id": array_id, "size": 3, "submitted": 3, **counts, "over": True}

    def cancel_array(self, array_id: str) -> dict[str, Any]:
        self.calls.append(("cancel_array", array_id))
        return self.array(array_id)

    def statuses(self, ids: Sequence[str]) -> dict[str, Any]:
        return {job_id: self.known.get(job_id) for job_id in ids}

    def explain(self, job_id: str) -> dict[str, Any]:
        self.calls.append(("explain", job_id))
        row = self.job(job_id)
        return {"id": job_id, "status": row["status"], **self.explanation}

    def retry_dead(self, *, name: Any, cause: Any, retried: Callable[[int], None]) -> list[str]:
        self.calls.append(("retry_dead", name, cause))
        ids = [row["id"] for row in self.known.values() if row["status"] == "failed"]
        retried(len(ids))
        return ids

    def queues(self) -> list[dict[str, Any]]:
        return self.queue_rows

    def pause(self, queue: str) -> dict[str, str]:
        return self._order("paused", queue)

    def drain_queue(self, queue: str) -> dict[str, str]:
        return self._order("draining", queue)

    def resume(self, queue: str) -> dict[str, str]:
        return self._order("open", queue)

    def _order(self, state: str, queue: str) -> dict[str, str]:
        self.calls.append((state, queue))
        return {"name": queue, "state": state}

    def schedules(self) -> list[dict[str, Any]]:
        return self.schedule_rows

    def backup(self, dest: Path, *, told: Callable[[int], None]) -> Path:
        dest.write_bytes(b"backup")
        told(9 << 20)
        return dest

    def restore(self, source: Path, *, told: Callable[[int], None]) -> dict[str, Any]:
        told(source.stat().st_size)
        return {"restored": 2, "counts": {"job": 3, "queue": 1}}

    def job(self, job_id: str, wait: float | None = None) -> dict[str, Any]:
        if job_id not in self.known:
            raise UnknownJob(f"There is no job {job_id}.", "jobctl jobs", "unknown-job")
        return self.known[job_id]

    def jobs(self, **query: Any) -> dict[str, Any]:
        self.calls.append(("jobs", query))
        start = int(query["cursor"] or 0)
        cause = query.get("cause")
        known = [row for row in self.known.values() if cause in (None, row["cause"])]
        rows = known[start : start + query["limit"]]
        end = start + len(rows)
        return {"jobs": rows, "cursor": str(end) if end < len(known) else None}

    def wait(self, ids: Sequence[str], timeout: float | None = None) -> Iterator[dict[str, Any]]:
        self.calls.append(("wait", list(ids), timeout))
        for job_id in ids:
            yield self.job(job_id) if self.known else job(job_id)

    def cancel(self, job_id: str) -> dict[str, Any]:
        return self.job(job_id) | {"status": "cancelled"}

    def retry(self, job_id: str) -> dict[str, Any]:
        return self.job(job_id) | {"status": "queued"}

    def follow(self, job_id: str, **start: Any) -> Iterator[Any]:
        self.calls.append(("follow", job_id, start))
        yield from self.events()

    def logs(self, job_id: str, **part: Any) -> bytes:
        return b"".join(self.read_log(job_id, **part))

    def read_log(self, job_id: str, **part: Any) -> Iterator[bytes]:
        self.calls.append(("logs", job_id, part))
        self.job(job_id)
        yield b"caf\xc3"
        yield b"\xa9\n\xff\n"

    def artifacts(self, job_id: str, attempt: int | None = None) -> dict[str, Any]:
        self.job(job_id)
        return {"attempt": attempt or 1, "files": self.files, "complete": self.complete}

    def artifact(self, job_id: str, path: str, dest: Path, attempt: int | None = None) -> None:
        dest.write_text(f"{job_id}:{path}")

    def workers(self) -> list[dict[str, Any]]:
        return [{"name": "worker-1", "status": "busy", "queues": ["default"], "jobs": [A, B]}]

    def stats(self) -> dict[str, Any]:
        return {"counts": {}}

    def close(self) -> None:
        self.closed = True


class FakeParts(Parts):
    """A session's parts, none of them real."""

    def __init__(self, client: FakeClient | None = None, engine: Any = None) -> None:
        self.fake_client = client or FakeClient()
        self.fake_engine = engine
        self.projects: list[str] = []

    def engine(self) -> Any:
        return self.fake_engine

    def connection(self, project: str, engine: Any) -> Any:
        self.projects.append(project)
        return Where()

    def client(self, url: str, token: str, on_rate: Callable[[float], None]) -> Any:
        self.fake_client.on_rate = on_rate
        return self.fake_client


def run(*argv: str, parts: Parts | None = None) -> Ran:
    """Run one command line on fakes, of a project named ``demo`` unless argv says otherwise."""
    out, err = io.BytesIO(), io.BytesIO()
    streams = [io.TextIOWrapper(each, encoding="utf-8", errors="replace") for each in (out, err)]
    project = () if argv[0] in ("-p", "-f") else ("-p", "demo")
    code = main([*project, *argv], parts or FakeParts(), Output(*streams), lambda: NOW)
    for each in streams:
        each.flush()
    return Ran(code, out.getvalue().decode("utf-8", "replace"), err.getvalue().decode())
