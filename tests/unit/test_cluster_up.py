"""`up` on an engine in memory: it is safe to repeat, and to cut short at any moment."""

import json
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobctl.cluster import (
    NameTaken,
    NotUp,
    PortTaken,
    StartFailed,
    connection,
    labels,
    names,
    owner,
    seed,
)
from jobctl.cluster.action import Action, Plan
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.events import Event
from jobctl.cluster.executor import Executor
from jobctl.engine.errors import Conflict, EngineError, NotFound
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.fake_master import FakeMaster
from tests.support.memory_engine import MemoryEngine
from tests.support.memory_world import Killed, World

FIVE = {
    f"demo-{name}": "running"
    for name in ("master-1", "redis-1", "worker-1", "worker-2", "worker-3")
}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[ClusterInMemory]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    # The world's clock is not ours: a lock of this moment must not look old.
    monkeypatch.setattr(owner, "STALE_AFTER", float("inf"))
    return ClusterInMemory


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterInMemory]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    # The world's clock is not ours: a lock of this moment must not look old.
    monkeypatch.setattr(owner, "STALE_AFTER", float("inf"))
    world = World()
    with FakeMaster(world, PROJECT) as master:
        yield ClusterInMemory(world, master)


def stored(demo: ClusterInMemory, role: str) -> dict[str, bytes]:
    _, tree = demo.world.volumes[f"{PROJECT}-{role}"]
    return {name: data for name, (info, data) in tree.entries.items() if info.isfile()}


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


def test_the_second_up_changes_nothing(demo: ClusterInMemory) -> None:
    first = demo.up()
    assert demo.states() == FIVE
    assert not first.plan.empty
    demo.mutations()
    second = demo.up(wait=True)
    assert demo.mutations() == []
    assert second.plan.empty
    assert second.rounds == 1


def test_from_elsewhere_too(demo: ClusterInMemory) -> None:
    demo.up(file="/home/me/cluster.yaml")
    demo.mutations()
    demo.up(file="/home/you/other.yaml")
    assert demo.mutations() == []


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
            four = {name: state for name, state in FIVE.items() if name != "demo-worker-3"}
            assert demo.states() == four, f"died after call {step}"
            assert demo.plan(edit).empty


def test_the_secrets_survive(demo: ClusterInMemory) -> None:
    demo.up()
    before = stored(demo, "secrets")
    demo.up({"master": {"memory": "128MB"}})
    assert connection(PROJECT).token.encode() == before["/token"]
    demo.down()
    demo.up()
    assert connection(PROJECT).token.encode() == before["/token"]
    assert stored(demo, "secrets") == before


def test_secrets_are_files_with_owners_and_nowhere_else(demo: ClusterInMemory) -> None:
    demo.up()
    _, tree = demo.world.volumes["demo-secrets"]
    found = {name: (i.uid, i.mode) for name, (i, _) in tree.entries.items() if i.isfile()}
    assert found == {
        "/token": (10001, 0o400),
        "/redis-master": (10001, 0o400),
        "/redis-worker": (0, 0o400),
        "/users.acl": (10002, 0o400),
    }
    kept = [data.decode() for name, data in stored(demo, "secrets").items() if "acl" not in name]
    for box in demo.world.boxes.values():
        for secret in kept:
            assert secret not in repr(box.spec)
    for secret in kept:
        assert secret.encode() not in b"".join(stored(demo, "control").values())
        assert secret.encode() not in stored(demo, "secrets")["/users.acl"]


def test_damaged_secrets_are_replaced_as_a_whole(demo: ClusterInMemory) -> None:
    demo.up()
    before = stored(demo, "secrets")
    _, tree = demo.world.volumes["demo-secrets"]
    del tree.entries["/redis-worker"]
    demo.up()
    after = stored(demo, "secrets")
    assert sorted(after) == sorted(before)
    assert after["/token"] != before["/token"]


def test_the_newest_whole_spec_counts(demo: ClusterInMemory) -> None:
    demo.up()
    demo.scale({"default": 5})
    _, tree = demo.world.volumes["demo-control"]
    info, data = tree.entries["/spec-2.json"]
    broken = info.replace(name="spec-3.json", deep=False)
    broken.size = 50
    tree.entries["/spec-3.json"] = (broken, data[:50])
    assert demo.up().overrides == {"default": 5}
    demo.up({"logs": {"files": 4}})
    assert sorted(stored(demo, "control")) == [f"/spec-{n}.json" for n in (1, 2, 3, 4)]


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
    assert demo.states() == FIVE
    assert len(demo.world.networks) == 1
    assert list(stored(demo, "control")) == ["/spec-1.json"]


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
    assert demo.states() == FIVE


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
    assert demo.states() == FIVE


def test_this_process_is_not_gone_and_one_that_ended_is() -> None:
    mine = owner.current()
    assert not owner.is_gone(mine)
    place, _, _ = mine.rpartition(" ")[0].rpartition(" ")
    assert owner.is_gone(f"{place} 999999999 1")
    assert owner.is_gone(mine + "0")
    assert not owner.is_gone("another-boot pid:[1] 1 1")
    assert not owner.is_gone("")


def test_a_scale_override_is_kept_until_it_is_reset(demo: ClusterInMemory) -> None:
    demo.up()
    demo.scale({"default": 5})
    kept = demo.up()
    assert kept.overrides == {"default": 5}
    assert len(demo.states()) == 7
    demo.down()
    assert demo.states() == {}
    assert demo.up().overrides == {"default": 5}
    assert len(demo.states()) == 7
    reset = demo.up(reset_scale=True)
    assert reset.overrides == {}
    assert demo.states() == FIVE
    assert demo.up().overrides == {}


def test_a_plan_before_up_says_that_kept_replicas_are_not_known(demo: ClusterInMemory) -> None:
    demo.up()
    assert demo.plan().notes == ()
    demo.down()
    demo.mutations()
    assert "jobctl scale" in demo.plan().notes[0]
    assert demo.mutations() == []


def test_a_taken_port_is_a_clear_error_and_the_next_up_goes_on(demo: ClusterInMemory) -> None:
    demo.world.foreign_ports.add(demo.master.port)
    with pytest.raises(PortTaken, match=str(demo.master.port)) as caught:
        demo.up()
    assert "master.port" in caught.value.hint
    assert "demo-master-1" not in demo.states()
    demo.world.foreign_ports.clear()
    demo.up()
    assert demo.states() == FIVE


def test_a_foreign_seed_is_left_alone(demo: ClusterInMemory) -> None:
    tags = [tag for tag in demo.world.images if "worker" in tag]
    theirs = replace(seed.Seed(demo.engine, PROJECT, tags[0])._spec(), labels={}, mounts=())
    demo.engine.create(theirs)
    with pytest.raises(NameTaken, match="demo-seed"):
        demo.up()
    assert list(demo.states()) == ["demo-seed"]


def wait_event(demo: ClusterInMemory) -> threading.Event:
    """Return what is set once `up` says that it waits for something."""
    told = threading.Event()

    class Events(list[Event]):
        def append(self, event: Event) -> None:
            super().append(event)
            if event.kind == "wait":
                told.set()

    demo.events = Events()
    return told


@pytest.mark.parametrize("how", ["unregistered", "elsewhere"])
def test_it_is_ready_when_every_worker_has_registered_from_its_container(
    demo: ClusterInMemory, how: str
) -> None:
    demo.up(wait=True)
    assert [event.text for event in demo.events if event.kind == "wait"] == []
    setattr(demo.master, how, {"worker-2"})
    told = wait_event(demo)
    waiting = threading.Thread(target=lambda: demo.up(wait=True))
    waiting.start()
    assert told.wait(10)
    assert waiting.is_alive()
    setattr(demo.master, how, set())
    waiting.join(10)
    assert not waiting.is_alive()
    assert "worker-2" in demo.events[0].text


def test_a_registration_from_before_the_restart_does_not_count(demo: ClusterInMemory) -> None:
    demo.up(wait=True)
    demo.world.end("demo-worker-2", 137)
    demo.master.stale = {"worker-2"}
    told = wait_event(demo)
    waiting = threading.Thread(target=lambda: demo.up(wait=True))
    waiting.start()
    assert told.wait(10)
    assert waiting.is_alive()
    demo.master.stale = set()
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_thawed_worker_need_not_have_been_healthy_while_frozen(demo: ClusterInMemory) -> None:
    demo.up(wait=True)
    demo.engine.pause("demo-worker-2")
    demo.world.set_health("demo-worker-2", "unhealthy")
    report = demo.up(wait=True)
    assert report.plan.lines() == ["unpause worker-2: it is paused"]
    with pytest.raises(StartFailed, match="worker-2 is unhealthy"):
        demo.up(wait=True)


@pytest.mark.parametrize("how", ["exited", "unhealthy"])
def test_a_container_that_cannot_live_fails_it_with_its_last_words(
    demo: ClusterInMemory, how: str
) -> None:
    def broken(name: str) -> None:
        if name == "demo-worker-2":
            demo.world.write_log(name, b"cannot find my hat\n")
            if how == "exited":
                demo.world.end(name, 3)
            else:
                demo.world.set_health(name, "unhealthy")

    demo.world.on_start = broken
    demo.master.unregistered = {"worker-2"}
    with pytest.raises(StartFailed, match="worker-2") as caught:
        demo.up(wait=True)
    assert "cannot find my hat" in caught.value.log
    assert "logs worker-2" in caught.value.hint


def test_it_gives_up_in_time_and_says_what_is_missing(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.cluster.ready.WITHIN", 0.05)
    demo.master.unregistered = {"worker-1", "worker-3"}
    with pytest.raises(ClusterError, match="worker-1, worker-3"):
        demo.up(wait=True)


def test_a_conflict_is_planned_again(demo: ClusterInMemory) -> None:
    demo.world.fail("start", 3, Conflict("It is being removed."))
    report = demo.up()
    assert report.rounds == 2
    assert demo.states() == FIVE


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
    assert len(demo.states()) == 7


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


def test_the_connection_is_kept_for_this_user_alone_and_can_be_recovered(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    demo.up()
    file = tmp_path / "jobctl" / PROJECT / "connection.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = connection(PROJECT)
    assert kept.url == f"http://127.0.0.1:{demo.master.port}"
    assert kept.token.encode() == stored(demo, "secrets")["/token"]
    assert kept.token not in repr(kept)
    file.unlink()
    with pytest.raises(NotUp):
        connection(PROJECT)
    assert connection(PROJECT, lambda: demo.engine) == kept
    assert file.exists()


def test_without_a_cluster_there_is_no_connection(demo: ClusterInMemory) -> None:
    with pytest.raises(NotUp) as caught:
        connection(PROJECT, lambda: demo.engine)
    assert caught.value.hint == "jobctl up"


def test_jobs_run_as_the_caller_but_never_as_root(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"workers": {"default": {"user": "caller"}}}
    monkeypatch.setattr("os.getuid", lambda: 1000)
    monkeypatch.setattr("os.getgid", lambda: 1001)
    demo.up(settings)
    env = demo.world.boxes["demo-worker-1"].spec.env
    assert json.loads(env["JOBCTL_SETTINGS"])["job_user"] == [1000, 1001]
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.delenv("SUDO_UID", raising=False)
    with pytest.raises(ClusterError, match="root"):
        demo.up(settings)
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1001")
    demo.mutations()
    demo.up(settings)
    assert demo.mutations() == []
