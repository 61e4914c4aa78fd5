"""What a container in trouble shows: gathered once, before anything is done to it.

Each part is tried by itself and bounded; one that fails is told with its error. No environment, no
labels and no arguments of calls are among them, as these may hold secrets.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jobctl.cluster import labels, names
from jobctl.cluster.observed import Observed
from jobctl.control.place import Place
from jobctl.control.watchdog_targets import SHORT_ID
from jobctl.engine.errors import NotFound
from jobctl.engine.model import Container, ContainerDetail
from jobctl.engine.protocol import Engine
from jobctl.queue import Job, Queue

LINES = 100
"""Lines of a container's output that are kept."""

_WITHIN = 6.0
"""Seconds for all of them. A busy Redis says after five that it is."""

_LETTERS = 16_000
_SLOW = 10
_HIDDEN = "(hidden)"

Part = Callable[[Engine], Any]


@dataclass(frozen=True)
class Subject:
    """Whom to diagnose, and the commands of cluster.yaml to run in it, if it runs."""

    row: Container
    commands: tuple[tuple[str, ...], ...] = ()


class Diagnostics:
    """Gathers, for one caller at a time in each thread."""

    def __init__(self, engine: Engine, place: Place) -> None:
        self._engine = engine
        self._place = place

    def gather(self, subject: Subject, seen: Observed, secrets: Collection[str]) -> dict[str, Any]:
        """Return what each part brought, by its name; none of ``secrets`` is in any of it."""
        groups = self._groups(subject, seen)
        runs = [_Run(group, self._engine.clone()) for group in groups]
        until = time.monotonic() + _WITHIN
        for run in runs:
            run.thread.join(max(0.0, until - time.monotonic()))
        late = {"error": f"no answer within {_WITHIN:g} s"}
        found = {name: run.found.get(name, late) for run in runs for name in run.parts}
        return {name: _without(value, secrets) for name, value in found.items()}

    def _groups(self, subject: Subject, seen: Observed) -> list[dict[str, Part]]:
        """Return the parts: those of a group are tried one after the other.

        Groups have little to do with each other: one that hangs holds up only itself.
        """
        row = subject.row
        groups: list[dict[str, Part]] = [
            {
                "inspect": lambda engine: _inspected(engine, row.id),
                "logs": lambda engine: _last_lines(engine, row.id),
            }
        ]
        if row.state != "running":
            return groups
        groups[0]["stats"] = lambda engine: _stats(engine, row.id)
        if labels.POOL in row.labels:
            groups.append({"worker": lambda _engine: self._worker(row, seen)})
        elif row.labels.get(labels.SERVICE) == names.REDIS:
            asked = {f"redis {what}": self._asking(seen, ask) for what, ask in _REDIS.items()}
            groups.append(asked)
        groups += [
            {f"command {' '.join(argv)}": _running(row.id, argv)} for argv in subject.commands
        ]
        return groups

    def _worker(self, row: Container, seen: Observed) -> Any:
        queue = self._queue(seen)
        try:
            mine = (w for w in queue.workers() if w.container == row.id[:SHORT_ID])
            worker = next(mine, None)
            if worker is None:
                return "it is not registered"
            held = (
                [job for job in queue.get_many(worker.jobs[:LINES]) if job] if worker.jobs else []
            )
            return {
                "status": str(worker.status),
                "heartbeat_at": worker.heartbeat_at / 1000,
                "ended": worker.ended,
                "concurrency": worker.concurrency,
                "holds": len(worker.jobs),
                "jobs": [_job(job) for job in held],
            }
        finally:
            queue.close()

    def _asking(self, seen: Observed, ask: Callable[[Queue], Any]) -> Part:
        def part(_engine: Engine) -> Any:
            queue = self._queue(seen)
            try:
                return ask(queue)
            finally:
                queue.close()

        return part

    def _queue(self, seen: Observed) -> Queue:
        queue = self._place.queue(seen)
        if queue is None:
            raise OSError("there is no way to Redis")
        return queue


class _Run:
    """Some parts in a thread of their own, which is left behind if it takes too long."""

    def __init__(self, parts: Mapping[str, Part], engine: Engine) -> None:
        self.parts = parts
        self.found: dict[str, Any] = {}
        self._engine = engine
        self.thread = threading.Thread(target=self._run, name="diagnostics", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        for name, part in self.parts.items():
            try:
                self.found[name] = part(self._engine)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is part of the picture
                self.found[name] = {"error": str(error) or type(error).__name__}
        self._engine.close()


def _inspected(engine: Engine, container: str) -> dict[str, Any]:
    detail = engine.inspect(container)
    if detail is None:
        raise NotFound("The container is gone.")
    return _told(detail)


def _told(detail: ContainerDetail) -> dict[str, Any]:
    return {
        "state": detail.state,
        "health": detail.health,
        "exit_code": detail.exit_code,
        "oom_killed": detail.oom_killed,
        "error": detail.error,
        "started_at": detail.started_at,
        "finished_at": detail.finished_at,
        "restart_count": detail.restart_count,
        "cpus": detail.cpus,
        "memory": detail.memory,
        "pids": detail.pids,
        "networks": dict(detail.addresses),
    }


def _last_lines(engine: Engine, container: str) -> str:
    text = b"".join(engine.logs(container, tail=LINES)).decode("utf-8", "replace")
    return text[-_LETTERS:]


def _stats(engine: Engine, container: str) -> dict[str, Any]:
    stats = engine.stats(container)
    if stats is None:
        raise NotFound("It does not run.")
    return {
        "cpu_seconds": stats.cpu_seconds,
        "throttled_seconds": stats.throttled_seconds,
        "memory": stats.memory,
        "memory_limit": stats.memory_limit,
        "pids": stats.pids,
        "oom_kills": stats.oom_kills,
    }


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": str(job.status),
        "attempt": job.attempt,
        "step": job.step,
        "progress": job.progress,
        "started_at": job.started_at / 1000 if job.started_at else None,
    }


def _running(container: str, argv: tuple[str, ...]) -> Part:
    def part(engine: Engine) -> dict[str, Any]:
        ended = engine.execute(container, argv)
        output = ended.output.decode("utf-8", "replace")
        return {"exit_code": ended.exit_code, "output": output[-_LETTERS:]}

    return part


def _info(section: str) -> Callable[[Queue], str]:
    return lambda queue: str(queue.ask("INFO", section))


def _latency(queue: Queue) -> list[dict[str, Any]]:
    rows = queue.ask("LATENCY", "LATEST")
    return [
        {"event": row[0], "at": row[1], "latest_ms": row[2], "longest_ms": row[3]} for row in rows
    ]


def _slow(queue: Queue) -> list[dict[str, Any]]:
    """Return the slowest calls of late, without their arguments: these are the jobs' own."""
    rows = queue.ask("SLOWLOG", "GET", str(_SLOW))
    return [
        {
            "at": row[1],
            "seconds": row[2] / 1e6,
            "call": " ".join(map(str, row[3][:2]))[: _SLOW * 20],
        }
        for row in rows
    ]


def _clients(queue: Queue) -> str:
    return str(queue.ask("CLIENT", "LIST"))[:_LETTERS]


_REDIS: Mapping[str, Callable[[Queue], Any]] = {
    "memory": _info("memory"),
    "clients": _info("clients"),
    "persistence": _info("persistence"),
    "latency": _latency,
    "slowlog": _slow,
    "client list": _clients,
}


def _without(value: Any, secrets: Collection[str]) -> Any:
    """Return a value with no secret in any of its texts."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, _HIDDEN) if secret else value
        return value
    if isinstance(value, dict):
        return {name: _without(each, secrets) for name, each in value.items()}
    if isinstance(value, list):
        return [_without(each, secrets) for each in value]
    return value
