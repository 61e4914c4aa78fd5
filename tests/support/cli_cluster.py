"""What the commands of a cluster meet in tests of the CLI: an engine, and calls that are noted."""

from collections.abc import Mapping
from typing import Any

import pytest

import jobctl.cluster
from jobctl.cluster import InstanceRow
from jobctl.cluster.events import Event
from jobctl.engine.model import Container, EngineInfo
from tests.support.cli_session import NOW


class FakeEngine:
    """An engine that answers ``info`` and knows no image."""

    def info(self) -> EngineInfo:
        return EngineInfo("id", "28.5", "1.45", "unix:///x", "DOCKER_HOST", 2, 8 << 30, "2")

    def image(self, ref: str) -> None:
        return None

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        return []

    def close(self) -> None:
        return None


class Recorder:
    """Stands in for one operation of the cluster and remembers how it was called."""

    def __init__(self, result: Any, *events: Event) -> None:
        self.result, self.events = result, events
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *args: Any, on_event: Any = None, **options: Any) -> Any:
        self.calls.append((args, options))
        for event in self.events:
            on_event(event)
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


def fake(monkeypatch: pytest.MonkeyPatch, name: str, result: Any, *events: Event) -> Recorder:
    recorder = Recorder(result, *events)
    monkeypatch.setattr(jobctl.cluster, name, recorder, raising=False)
    monkeypatch.setattr(jobctl.cluster, "look_ahead", lambda _engine, project: f"look at {project}")
    return recorder


def row(name: str, service: str, **fields: Any) -> InstanceRow:
    known = {
        "state": "running",
        "health": "healthy",
        "image": "i",
        "cpus": 0.5,
        "memory": 128 << 20,
        "created": NOW - 90,
        "restarts": 0,
        "address": "10.0.0.2",
        "ports": "",
        "exit": "",
    }
    pool = "default" if service == "worker" else ""
    return InstanceRow(name=name, service=service, pool=pool, **{**known, **fields})


ROWS = [
    row("master-1", "master"),
    row("worker-1", "worker"),
    row("worker-2", "worker", state="exited", exit="exit code 137"),
]
