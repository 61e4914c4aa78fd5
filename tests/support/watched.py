"""A watchdog beside the in-memory engine: a clock of its own, a Redis that fails as told."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from jobctl.chaos.fault import LiveFault
from jobctl.cluster.observed import observe
from jobctl.config import Config
from jobctl.control.deaths import Death, Orderer
from jobctl.control.healing import Condition
from jobctl.control.incident import Incident
from jobctl.control.incidents import Incidents
from jobctl.control.watching import Watching
from jobctl.engine.protocol import Engine
from jobctl.queue import Job, Queue, QueueError, QueueInfo, Worker, WorkerStatus
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.eventually import eventually

TIMES = {"interval": "5s", "timeout": "5s", "failures": 2, "cooldown": "10s", "grace": "1s"}

_A_SECOND = 0.001
"""What a second of the clock takes: it stands still while anything is under way."""


class Clock:
    """Goes on by a second when it is told to: no test waits for one, none is too slow for one."""

    def __init__(self) -> None:
        self._now = 1_700_000_000.0

    def __call__(self) -> float:
        return self._now

    def tick(self) -> None:
        """Let a second pass."""
        self._now += 1.0


@dataclass
class FakeRedis:
    """`failing` is why it does not serve; `kills` answers the orders to end a script."""

    registered: list[Worker] = field(default_factory=list)
    failing: str = ""
    kills: list[str] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    drained: list[str] = field(default_factory=list)

    def _serve(self) -> None:
        if self.failing:
            raise QueueError(self.failing)

    def ping(self) -> None:
        self._serve()

    def read_gauges(self) -> dict[str, Any]:
        self._serve()
        return {}

    def workers(self) -> list[Worker]:
        self._serve()
        return self.registered

    def drain(self, name: str, grace: float) -> None:
        assert grace > 0
        self.drained.append(name)

    def queues(self) -> list[QueueInfo]:
        self._serve()
        return []

    def get_many(self, ids: Sequence[str]) -> list[Job | None]:
        self._serve()
        return [None for _ in ids]

    def ask(self, *words: str) -> Any:
        self.asked.append(words)
        if words[1:] == ("KILL",):
            if words[0] not in self.kills:
                raise QueueError("Redis refused the call: NOTBUSY No scripts in execution.")
            self.failing = ""
            return "OK"
        self._serve()
        return [] if words[0] in ("LATENCY", "SLOWLOG") else "some:facts"

    def close(self) -> None:
        return


@dataclass
class Watched:
    """A cluster with a watchdog; `look` is what the controller's loop would have it do."""

    cluster: ClusterInMemory
    folder: Path
    clock: Clock
    project: str = PROJECT
    holder: str = "this-one"
    redis: FakeRedis = field(default_factory=FakeRedis)
    secret: bytes = b""
    ordered: list[tuple[str, Orderer]] = field(default_factory=list)
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    conditions: tuple[Condition, ...] = ()
    deaths: dict[str, Death] = field(default_factory=dict)
    """Why whose end was ordered by nobody."""
    locked: bool = False
    hurried: bool = False
    """Whether the clock goes on while a check is under way."""

    def queue(self, seen: Any) -> Queue:
        del seen
        return cast("Queue", self.redis)

    def signing(self, seen: Any) -> bytes:
        del seen
        return self.secret

    def faults(self, engine: Engine, seen: Any) -> tuple[LiveFault, ...]:
        raise NotImplementedError

    def look(self, engine: Engine, *, ask: bool) -> Any:
        raise NotImplementedError

    @contextmanager
    def __call__(self) -> Iterator[Watching]:
        watching = Watching(
            self.cluster.engine.clone(),
            self,
            lambda event, **facts: self.said.append((event, facts)),
            ordered=lambda container, by: self.ordered.append((container, by)),
            clock=self.clock,
        )
        over, listening = threading.Event(), threading.Event()
        rounds = threading.Thread(target=self._go_round, args=(watching, over, listening))
        watching.start()
        rounds.start()
        assert listening.wait(30)
        try:
            yield watching
        finally:
            over.set()
            rounds.join()
            watching.stop()

    def _go_round(
        self, watching: Watching, over: threading.Event, listening: threading.Event
    ) -> None:
        engine = self.cluster.engine.clone()
        events = engine.events({})
        listener = threading.Thread(target=self._listen, args=(watching, events), daemon=True)
        listener.start()
        listening.set()
        # Of the cluster's file nothing changes: to read it each time would be most of the work.
        first = observe(engine, PROJECT, ask=False)
        assert first.generation is not None
        config, wanted = Config.model_validate(first.generation.spec.config), self.cluster.wanted()
        while not over.is_set():
            seen = observe(engine, PROJECT, kept=first.connection, stored=first.stored, ask=False)
            watching.round(seen, wanted, config, locked=self.locked, conditions=self.conditions)
            at_rest = watching._probing.next_deadline() is None and not watching._acts._lanes._lanes
            if self.hurried or at_rest:
                self.clock.tick()
            over.wait(_A_SECOND)
        events.close()

    def _listen(self, watching: Watching, events: Any) -> None:
        for event in events:
            watching.heard(event, self.deaths.get(event.name) if event.action == "die" else None)

    def incidents(self) -> list[Incident]:
        """Return all that are kept, newest first."""
        return Incidents(self.folder).newest()

    def incident(self, instance: str, outcome: str) -> Incident:
        """Wait until one has come to that."""
        wanted = (instance, outcome)
        [first, *_] = eventually(
            lambda: [each for each in self.incidents() if (each.instance, each.outcome) == wanted]
        )
        return first

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return the facts of all that was said of one kind."""
        return [facts for kind, facts in self.said if kind == event]

    def container(self, instance: str) -> str:
        """Return the id of a container."""
        return self.cluster.world.boxes[f"{PROJECT}-{instance}"].id


def at_work(cluster: ClusterInMemory, *names: str) -> list[Worker]:
    """Return workers that have just been heard of, and will be for as long as a test lasts."""
    return [
        Worker(
            name=name,
            pool="default",
            container=cluster.world.boxes[f"{PROJECT}-{name}"].id[:12],
            incarnation=f"i-{name}",
            status=WorkerStatus.IDLE,
            concurrency=2,
            queues=("default",),
            jobs=(),
            started_at=0,
            heartbeat_at=2**52,
        )
        for name in names
    ]
