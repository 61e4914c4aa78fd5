"""`up` that dies at any moment, or meets another one: the next one completes it."""

import json
import threading

import pytest

from jobctl.cluster import (
    labels,
    names,
    owner,
    seed,
)
from jobctl.cluster.action import Action, Plan
from jobctl.cluster.events import Event
from jobctl.cluster.executor import Executor
from jobctl.engine.errors import Conflict, EngineError, NotFound
from tests.support.cluster_in_memory import ALL, PROJECT, ClusterInMemory, stored
from tests.support.fake_master import FakeMaster
from tests.support.memory_engine import MemoryEngine
from tests.support.memory_world import Killed, World


def make_volumes(demo: ClusterInMemory) -> str:
    """Make the volumes as an `up` does before it takes the lock; return the seed's image."""
    for role in names.VOLUME_ROLES:
        demo.engine.create_volume(f"{PROJECT}-{role}", labels.for_volume(PROJECT, role))
    return next(tag for tag in demo.world.images if "worker" in tag)


def whole_state(demo: ClusterInMemory) -> dict[str, object]:
    """Everything that two ups of the same file must agree on (secrets are random)."""
    return {
        "containers": {
            name: (box.state, dict(box.spec.labels), box.spec.command, dict(box.spec.env))
            for name, box in demo.world.boxes.items()
        },
        "networks": {n.name: dict(n.labels) for n in demo.world.networks.values()},
        "volumes": {name: dict(volume.labels) for name, (volume, _) in demo.world.volumes.items()},
        "secrets": sorted(stored(demo, "secrets")),
        "specs": [json.loads(data) for data in stored(demo, "control").values()],
    }


def test_an_up_that_dies_after_any_call_is_completed_by_the_next(
    make: type[ClusterInMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process that dies here is this one, which lives on: say that it does not.
    monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
    world = World()
    with FakeMaster(world, PROJECT) as master:
        undisturbed = make(world, master)
        undisturbed.up()
        calls = len(undisturbed.mutations())
        expected = whole_state(undisturbed)
        assert calls > 15
        for step in range(1, calls + 1):
            master.world = world = World()
            demo = make(world, master)
            # Dead is dead: nothing gets through after the call either, from whichever thread.
            world.fail("*", step, Killed(), after=True)
            for later in range(step + 1, step + 40):
                world.fail("*", later, Killed())
            with pytest.raises(Killed):
                demo.up()
            world.faults.clear()
            demo.up()
            assert whole_state(demo) == expected, f"died after call {step}"
            demo.mutations()
            demo.up()
            assert demo.mutations() == []


def test_a_config_edit_that_dies_after_any_call_is_completed_by_the_next(
    make: type[ClusterInMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
    edit = {"logs": {"files": 5}, "workers": {"default": {"replicas": 2}}}
    world = World()
    with FakeMaster(world, PROJECT) as master:
        undisturbed = make(world, master)
        undisturbed.up()
        undisturbed.mutations()
        undisturbed.up(edit)
        calls = len(undisturbed.mutations())
        for step in range(1, calls + 1):
            master.world = world = World()
            master.draining.clear()
            demo = make(world, master)
            demo.up()
            world.fail("*", step, Killed(), after=True)
            for later in range(step + 1, step + 40):
                world.fail("*", later, Killed())
            with pytest.raises(Killed):
                demo.up(edit)
            world.faults.clear()
            demo.up(edit)
            four = {name: state for name, state in ALL.items() if name != "demo-worker-3"}
            assert demo.states() == four, f"died after call {step}"
            assert demo.plan(edit).empty


def test_two_ups_at_once_end_in_one_cluster(demo: ClusterInMemory) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            demo.up()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)

    both = [threading.Thread(target=run) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert failures == []
    assert demo.states() == ALL
    assert len(demo.world.networks) == 1
    assert list(stored(demo, "control")) == ["/specs/spec-1.json"]


def test_a_lock_that_is_held_is_waited_for(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = make_volumes(demo)
    with seed.Seed(demo.engine, PROJECT, tags):
        waiting = threading.Event()
        demo_up = threading.Thread(target=demo.up)
        original = seed.Seed._holder

        def seen(self: seed.Seed) -> object:
            waiting.set()
            return original(self)

        monkeypatch.setattr(seed.Seed, "_holder", seen)
        demo_up.start()
        assert waiting.wait(10)
        assert not stored(demo, "secrets")
    demo_up.join()
    assert demo.states() == ALL


@pytest.mark.parametrize("reason", ["old", "dead"])
def test_a_lock_that_nobody_holds_any_more_is_broken(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "old":
        monkeypatch.setattr(owner, "STALE_AFTER", 30.0)
    else:
        monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
    seed.Seed(demo.engine, PROJECT, make_volumes(demo)).__enter__()
    demo.up()
    assert demo.states() == ALL


def test_this_process_is_not_gone_and_one_that_ended_is() -> None:
    mine = owner.current()
    assert not owner.is_gone(mine)
    place, _, _ = mine.rpartition(" ")[0].rpartition(" ")
    assert owner.is_gone(f"{place} 999999999 1")
    assert owner.is_gone(mine + "0")
    assert not owner.is_gone("another-boot pid:[1] 1 1")
    assert not owner.is_gone("")


def test_a_conflict_is_planned_again(demo: ClusterInMemory) -> None:
    demo.world.fail("start", 3, Conflict("It is being removed."))
    report = demo.up()
    assert report.rounds == 2
    assert demo.states() == ALL


def test_a_scale_between_plan_and_write_is_not_undone(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.up()
    scaled = threading.Event()
    take = seed.Seed.__enter__

    def scale_first(self: seed.Seed) -> seed.Seed:
        if not scaled.is_set():
            scaled.set()
            demo.scale({"default": 5})
        return take(self)

    monkeypatch.setattr(seed.Seed, "__enter__", scale_first)
    report = demo.up({"logs": {"files": 4}})
    assert report.overrides == {"default": 5}
    assert report.rounds == 2
    assert len(demo.states()) == len(ALL) + 2


def test_what_another_first_up_wrote_meanwhile_is_kept(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken = threading.Event()
    written: list[dict[str, bytes]] = []
    take = seed.Seed.__enter__

    def other_first(self: seed.Seed) -> seed.Seed:
        if not overtaken.is_set():
            overtaken.set()
            demo.up()
            written.append(stored(demo, "secrets"))
        return take(self)

    monkeypatch.setattr(seed.Seed, "__enter__", other_first)
    demo.up()
    assert stored(demo, "secrets") == written[0]
    assert list(stored(demo, "control")) == ["/specs/spec-1.json"]


def test_after_a_failure_nothing_more_is_begun(demo: ClusterInMemory) -> None:
    demo.up()
    failed, first_stopped = threading.Event(), threading.Event()

    class Patient(MemoryEngine):
        """Takes its time to stop the first, until something failed, and more for the second."""

        def clone(self) -> "Patient":
            return Patient(self.world)

        def stop(self, name: str, timeout: float) -> None:
            assert (failed if name == "demo-worker-1" else first_stopped).wait(10)
            super().stop(name, timeout)

    def watch(event: Event) -> None:
        if event.state == "failed":
            failed.set()
        if (event.subject, event.state) == ("worker-1", "done"):
            first_stopped.set()

    actions = (
        Action("stop", "container", "worker-1", "test", "demo-worker-1", seconds=1.0),
        Action("stop", "container", "worker-2", "test", "demo-worker-2", seconds=1.0),
        Action("remove", "container", "worker-1", "test", "demo-worker-1", ("stop worker-1",)),
        Action("start", "container", "nobody", "test", "demo-nobody"),
    )
    executor = Executor(PROJECT, Patient(demo.world), None, watch)
    with pytest.raises(NotFound):
        executor.execute(Plan(actions))
    assert demo.states()["demo-worker-1"] == "exited"
    assert [a.id for a in executor.outcome.done] == ["stop worker-1", "stop worker-2"]


def test_another_failure_is_raised_as_it_is(demo: ClusterInMemory) -> None:
    demo.world.fail("start", 2, EngineError("No space left on device."))
    with pytest.raises(EngineError, match="No space left"):
        demo.up()
