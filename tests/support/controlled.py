"""A controller at work beside the in-memory engine, with a queue that notes what it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from jobctl.chaos import records
from jobctl.chaos.fault import LiveFault
from jobctl.cluster.observed import Observed, observe
from jobctl.control import autoscaling, feed, guard
from jobctl.control.controller import Controller
from jobctl.control.wishes import Wishes
from jobctl.engine.protocol import Engine
from jobctl.queue import Cause, Queue, QueueError, Worker, WorkerStatus
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory

# The world's clock jumps, so all checks would be due at once: see test_watching.py for these.
QUICK = {
    "controller": {"run": "off", "interval": "100ms"},
    "watchdog": {"enabled": False},
}


@dataclass
class FakeQueue:
    """Notes what is released; `broken` is a Redis that does not answer."""

    released: list[tuple[str, Cause]] = field(default_factory=list)
    registered: list[Worker] = field(default_factory=list)
    extended: list[tuple[str, int]] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    broken: bool = False
    silent: bool = False
    holder: str = ""

    def guard(self, holder: str, seconds: float) -> bool:
        assert seconds > 1
        if self.silent:
            raise QueueError("no answer")
        self.holder = self.holder or holder
        return self.holder == holder

    def drop_guard(self, holder: str) -> None:
        if self.holder == holder:
            self.holder = ""

    def release_container(self, container: str, before_ms: int, cause: Cause, reason: str) -> int:
        assert before_ms > 0
        assert reason
        if self.broken:
            raise QueueError("no answer")
        self.released.append((container, cause))
        return 1

    def workers(self) -> list[Worker]:
        return self.registered

    def extend_lease(self, incarnation: str, until_ms: int) -> bool:
        self.extended.append((incarnation, until_ms))
        return True

    def set_aside(self, container: str, since_ms: int) -> int:
        assert since_ms > 0
        self.aside.append(container)
        return 0

    def close(self) -> None:
        pass


@dataclass
class FakePlace:
    """Beside the in-memory engine."""

    cluster: ClusterInMemory
    folder: Path
    fake: FakeQueue = field(default_factory=FakeQueue)
    project: str = PROJECT
    holder: str = "this-one"

    def look(self, engine: Engine, *, ask: bool) -> Observed:
        return observe(engine, self.project, ask=ask)

    def queue(self, seen: Observed) -> Queue:
        del seen
        return cast("Queue", self.fake)

    def faults(self, engine: Engine, seen: Observed) -> tuple[LiveFault, ...]:
        return records.read(engine, self.project, list(seen.containers.values()))

    def signing(self, seen: Observed) -> bytes:
        del seen
        return b""


@dataclass
class Running:
    """A controller at work, and what it said."""

    place: FakePlace
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    rounds: int = 0
    _ended: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        controller = Controller(
            self.place.cluster.engine.clone(),
            self.place,
            lambda event, **facts: self.said.append((event, facts)),
            alive=self._alive,
            clock=self.place.cluster.world.now,
        )
        thread = threading.Thread(target=controller.run)
        with _in_a_hurry():
            thread.start()
            try:
                self.look_again()
                yield
            finally:
                controller.stop()
                thread.join(30)
                assert not thread.is_alive()

    def look_again(self, times: int = 1) -> None:
        """Wait until so many rounds more have ended."""
        with self._ended:
            until = self.rounds + times
            assert self._ended.wait_for(lambda: self.rounds >= until, 60)

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return the facts of all that was said of one kind."""
        return [facts for kind, facts in self.said if kind == event]

    def _alive(self) -> None:
        with self._ended:
            self.rounds += 1
            self._ended.notify_all()


@contextmanager
def _in_a_hurry() -> Iterator[None]:
    """Have a controller look often: a look at a cluster in memory costs nothing.

    Of cluster.yaml it would not take that, and for Redis and the engine it has no setting.
    """
    with (
        patch.object(Wishes, "interval", 0.005),
        patch.object(autoscaling, "_LOOK", 0.005),
        patch.object(feed, "_AGAIN", 0.02),
        patch.multiple(guard, _RENEW=0.1, _SILENT=0.02),
    ):
        yield


def registered(name: str, container: str) -> Worker:
    return Worker(
        name=name,
        pool="default",
        container=container,
        incarnation=f"inc-{name}",
        status=WorkerStatus.BUSY,
        concurrency=2,
        queues=("default",),
        jobs=("01",),
        started_at=1,
        heartbeat_at=1,
    )


def short(demo: ClusterInMemory, name: str) -> str:
    return demo.world.boxes[f"demo-{name}"].id[:12]


def runs(demo: ClusterInMemory, name: str) -> bool:
    box = demo.world.boxes.get(f"demo-{name}")
    return box is not None and box.state == "running"
