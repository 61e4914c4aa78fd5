"""The controller's loop on the in-memory engine: what it releases, mends, and leaves to others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from jobctl.cluster.observed import Observed, observe
from jobctl.cluster.seed import Seed
from jobctl.control.controller import Controller
from jobctl.engine.protocol import Engine
from jobctl.queue import Cause, Queue, QueueError, Worker, WorkerStatus
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.eventually import eventually

QUICK = {"controller": {"interval": "100ms"}}


@dataclass
class FakeQueue:
    """Notes what is released; `broken` is a Redis that does not answer."""

    released: list[tuple[str, Cause]] = field(default_factory=list)
    registered: list[Worker] = field(default_factory=list)
    extended: list[tuple[str, int]] = field(default_factory=list)
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


@dataclass
class Running:
    """A controller at work, and what it said."""

    place: FakePlace
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        rounds = threading.Event()
        controller = Controller(
            self.place.cluster.engine.clone(),
            self.place,
            lambda event, **facts: self.said.append((event, facts)),
            alive=rounds.set,
            clock=self.place.cluster.world.now,
        )
        thread = threading.Thread(target=controller.run)
        thread.start()
        try:
            assert rounds.wait(30)
            yield
        finally:
            controller.stop()
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def control(demo: ClusterInMemory, tmp_path: Path) -> Running:
    demo.up(QUICK)
    return Running(FakePlace(demo, tmp_path))


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


def test_a_killed_worker_is_released_and_comes_back(
    demo: ClusterInMemory, control: Running
) -> None:
    container = short(demo, "worker-2")
    with control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: control.place.fake.released)
        eventually(lambda: runs(demo, "worker-2"))
    assert control.place.fake.released == [(container, Cause.WORKER_LOST)]


def test_the_cause_is_oom_when_the_kernel_says_so(demo: ClusterInMemory, control: Running) -> None:
    container = short(demo, "worker-1")
    with control():
        demo.world.crash("demo-worker-1", oom=True)
        eventually(lambda: control.place.fake.released)
    assert control.place.fake.released == [(container, Cause.OOM)]


def test_a_pause_releases_nothing_and_is_not_undone(
    demo: ClusterInMemory, control: Running
) -> None:
    with control():
        demo.engine.pause("demo-worker-1")
        demo.engine.kill("demo-worker-2")
        eventually(lambda: runs(demo, "worker-2"))
    assert demo.states()["demo-worker-1"] == "paused"
    assert len(control.place.fake.released) == 1


@pytest.mark.parametrize("name", ["redis-1", "master-1"])
def test_what_else_was_killed_comes_back(
    demo: ClusterInMemory, control: Running, name: str
) -> None:
    with control():
        demo.engine.kill(f"demo-{name}")
        eventually(lambda: runs(demo, name))


def test_what_is_missing_is_made_anew(demo: ClusterInMemory, control: Running) -> None:
    with control():
        demo.engine.remove("demo-worker-3", force=True)
        eventually(lambda: runs(demo, "worker-3"))


def test_without_any_event_it_converges_all_the_same(
    demo: ClusterInMemory, control: Running
) -> None:
    demo.world.drops_events = True
    with control():
        demo.engine.kill("demo-worker-2")
        demo.engine.kill("demo-redis-1")
        eventually(lambda: runs(demo, "worker-2"))
        eventually(lambda: runs(demo, "redis-1"))


def test_a_cut_subscription_is_made_again_and_misses_no_death(
    demo: ClusterInMemory, control: Running
) -> None:
    container = short(demo, "worker-2")
    lost = registered("worker-2", container)
    with control():
        control.place.fake.registered.append(lost)
        demo.world.drops_events = True
        demo.engine.kill("demo-worker-2")
        demo.world.drops_events = False
        demo.world.cut_events()
        eventually(lambda: control.place.fake.released)
    assert (container, Cause.WORKER_LOST) in control.place.fake.released


def test_a_release_that_redis_did_not_take_is_made_when_it_answers(
    demo: ClusterInMemory, control: Running
) -> None:
    container = short(demo, "worker-2")
    control.place.fake.broken = True
    with control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: any(event == "not-released" for event, _ in control.said))
        control.place.fake.broken = False
        eventually(lambda: control.place.fake.released)
    assert control.place.fake.released == [(container, Cause.WORKER_LOST)]


def test_while_somebody_writes_another_spec_it_mends_nothing(
    demo: ClusterInMemory, control: Running
) -> None:
    container = short(demo, "worker-2")
    image = demo.world.boxes["demo-worker-1"].spec.image
    with Seed(demo.engine, PROJECT, image), control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: control.place.fake.released)
        assert not runs(demo, "worker-2")
    assert control.place.fake.released == [(container, Cause.WORKER_LOST)]


def test_a_start_that_fails_is_tried_again(demo: ClusterInMemory, control: Running) -> None:
    with control():
        demo.world.fail("start")
        demo.engine.kill("demo-worker-2")
        eventually(lambda: runs(demo, "worker-2"))
    assert "not-done" in [event for event, _ in control.said]


def test_the_lease_of_a_paused_worker_is_extended_for_as_long_as_patience_lasts(
    demo: ClusterInMemory, control: Running
) -> None:
    fake = control.place.fake
    fake.registered.append(registered("worker-1", short(demo, "worker-1")))
    with control():
        demo.engine.pause("demo-worker-1")
        eventually(lambda: fake.extended)
        demo.engine.unpause("demo-worker-1")
    [(incarnation, until_ms), *again] = fake.extended
    assert incarnation == "inc-worker-1"
    assert {until for _, until in again} <= {until_ms}


def test_a_container_that_keeps_dying_is_given_up(demo: ClusterInMemory, tmp_path: Path) -> None:
    often = {"backoff": "100ms", "max_backoff": "100ms", "give_up_after": 3}
    demo.up({**QUICK, "healing": often})
    control = Running(FakePlace(demo, tmp_path))

    def die(name: str) -> None:
        if name == "demo-worker-2":
            demo.world.end(name, 1)

    demo.world.on_start = die
    with control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: [facts for event, facts in control.said if event == "condition"])
        starts = len(demo.world.mutations)
        demo.engine.kill("demo-worker-1")
        eventually(lambda: runs(demo, "worker-1"))
        assert len(demo.world.mutations) == starts + 2
    [facts] = [facts for event, facts in control.said if event == "condition"]
    assert (facts["name"], facts["instance"]) == ("CrashLoop", "worker-2")


def test_a_worker_that_goes_slowly_keeps_nobody_from_coming_back(
    demo: ClusterInMemory, control: Running
) -> None:
    everyone = ("worker-1", "worker-2", "worker-3")
    demo.master.jobs = {name: ["01"] for name in everyone}
    demo.master.reluctant = set(everyone)
    with Seed(demo.engine, PROJECT, demo.world.boxes["demo-worker-1"].spec.image) as seed:
        wanted = demo.wanted(2)
        generation = seed.read().generation
        assert generation is not None
        seed.write(wanted.spec, generation.number)
    with control():
        eventually(lambda: demo.master.draining)
        demo.engine.kill("demo-redis-1")
        eventually(lambda: runs(demo, "redis-1"))
        assert runs(demo, "worker-3")
        demo.master.jobs = {}
        eventually(lambda: "demo-worker-3" not in demo.states())
