"""What a page of a filtered listing costs: with a million ended jobs, and with a thousand."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.lab.engine import Gauge
from bench.lab.our_stage import OurStage
from jobctl.client import Client
from jobctl.queue import new_id
from jobctl.queue.backup import BackupWriter

_FEW, _MANY, _BATCH = 1_000, 1_000_000, 1_000
_PAGES = 300
_FILTERS: Mapping[str, Mapping[str, str]] = {
    "of all": {},
    "by status": {"status": "succeeded"},
    "by name": {"name": "n3"},
    "by status and name": {"status": "failed", "name": "n7"},
    "by cause, which every twentieth has": {"status": "failed", "cause": "exit"},
    "by cause, which every hundredth has": {"status": "failed", "cause": "oom"},
}


def run(work: Path, gauge: Gauge) -> str:
    """Return the report: CPU of master and Redis for a page of 50, over HTTP.

    A page is shorter where no more jobs fit, or none of those that it may look at.
    """
    stage = OurStage(work, "strict", port=18481, label="listing", keep=2 * _MANY)
    stage.open()
    try:
        few = _measure(stage, gauge, _FEW)
        many = _measure(stage, gauge, _MANY - _FEW)
    finally:
        stage.close()
    lines = [f"CPU ms a page of 50, with {_FEW:,} and with {_MANY:,} ended jobs:"]
    for name in _FILTERS:
        (before, short), (after, long) = few[name], many[name]
        told = f"{before:.2f} with {short} jobs on it and {after:.2f} with {long}"
        lines.append(f"- {name}: {told} ({after / before:.2f})")
    return "\n".join(lines)


def _measure(stage: OurStage, gauge: Gauge, more: int) -> dict[str, tuple[float, int]]:
    """Add jobs, and return the CPU ms of a page by filter, and how many jobs are on it."""
    services = {"redis": stage.containers()["redis"], "master": stage.master}
    file = stage.folder / "ended.gz"
    with file.open("wb") as out:
        out.writelines(_backup(more))
    costs = {}
    with stage.client() as client:
        client.restore(file)
        for name, filters in _FILTERS.items():
            jobs = _page(client, filters)
            before = gauge.cpu(services)
            for _ in range(_PAGES):
                _page(client, filters)
            after = gauge.cpu(services)
            used = sum(after[one] - before[one] for one in services)
            costs[name] = used / _PAGES * 1000, jobs
    return costs


def _page(client: Client, filters: Mapping[str, Any]) -> int:
    return len(client.jobs(**filters, limit=50)["jobs"])


def _backup(jobs: int) -> Iterator[bytes]:
    """Make a backup of ended jobs: of ten names, every tenth failed, for one of three causes."""
    now = time.time_ns() // 1_000_000
    writer = BackupWriter("listing", now)
    for start in range(0, jobs, _BATCH):
        yield writer.add(_ended(number, now) for number in range(start, start + _BATCH))
    yield writer.end()


def _ended(number: int, now: int) -> dict[str, Any]:
    how = {"status": "succeeded", "exit_code": "0"}
    if number % 10 == 7:
        cause = "oom" if number % 100 == 17 else "exit" if number % 20 == 7 else "timeout"
        how = {"status": "failed", "cause": cause, "exit_code": "1"}
    fields = {
        "id": new_id(),
        "function": "tasks:noop",
        "name": f"n{number % 10}",
        "extras": "n",
        "queue": "default",
        "attempt": "1",
        "accepted": "1",
        **how,
        **dict.fromkeys(("submitted_at", "claimed_at", "started_at", "finished_at"), str(now)),
    }
    return {"kind": "job", "fields": fields}
