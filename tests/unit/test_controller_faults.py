"""The controller and faults made on purpose: left alone until they are over, then undone."""

import random
from pathlib import Path

import pytest

from jobctl.chaos.beside import Beside
from jobctl.chaos.fault import Allowed, Fault, FaultKind, LiveFault
from jobctl.chaos.inject import inject, live_faults, undo
from jobctl.cluster import owner
from jobctl.cluster.observed import instance_of
from jobctl.control.place import InCluster
from jobctl.control.watchdog_targets import View, probes_of, targets_of
from jobctl.queue import Cause
from tests.support.chaos_in_memory import with_programs
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory, stored
from tests.support.controlled import QUICK, FakePlace, Running, runs, short
from tests.support.eventually import eventually
from tests.support.memory_world import Killed

ALL = Allowed(at_once=9, share=1.0, seconds=1e12)
LONG = 1e9
"""Seconds that are not over in any test: the world's clock moves by one at every look."""


@pytest.fixture
def control(demo: ClusterInMemory, tmp_path: Path) -> Running:
    with_programs(demo)
    demo.up(QUICK)
    return Running(FakePlace(demo, tmp_path))


def broken(demo: ClusterInMemory, kind: FaultKind, target: str, seconds: float) -> LiveFault:
    fault, rng = Fault(kind, target, seconds), random.Random(1)
    made = inject(demo.engine, PROJECT, fault, rng=rng, allowed=ALL, clock=demo.world.now)
    assert isinstance(made, LiveFault)
    return made


@pytest.mark.parametrize("kind", [FaultKind.KILL_WORKER, FaultKind.REMOVE_CONTAINER])
def test_what_is_under_a_fault_is_not_mended_and_its_jobs_go_on_all_the_same(
    demo: ClusterInMemory, control: Running, kind: FaultKind
) -> None:
    container = short(demo, "worker-2")
    with control():
        made = broken(demo, kind, "worker-2", LONG)
        demo.engine.kill("demo-worker-1")
        eventually(lambda: runs(demo, "worker-1"))
        control.look_again(3)
        assert not runs(demo, "worker-2")
        eventually(lambda: (container, Cause.WORKER_LOST) in control.place.fake.released)
        [told] = control.told("fault")
        assert (told["kind"], told["instance"]) == (kind, "worker-2")
        undo(demo.engine, PROJECT, made)
        control.look_again()
        demo.engine.kill("demo-worker-2")
        eventually(lambda: runs(demo, "worker-2"))


@pytest.mark.parametrize(
    "kind", [FaultKind.KILL_WORKER, FaultKind.PAUSE_WORKER, FaultKind.REMOVE_CONTAINER]
)
def test_what_nobody_undid_in_time_the_controller_undoes(
    demo: ClusterInMemory, control: Running, kind: FaultKind
) -> None:
    broken(demo, kind, "worker-2", 1)
    with control():
        eventually(lambda: not live_faults(demo.engine, PROJECT))
        eventually(lambda: runs(demo, "worker-2"))
        eventually(lambda: control.told("fault-undone"))


def test_what_could_not_be_undone_is_tried_again(demo: ClusterInMemory, control: Running) -> None:
    broken(demo, FaultKind.PAUSE_WORKER, "worker-2", 1)
    demo.world.fail("unpause")
    with control():
        eventually(lambda: runs(demo, "worker-2"))
        eventually(lambda: not live_faults(demo.engine, PROJECT))
    [told] = control.told("fault-not-undone")
    assert told["instance"] == "worker-2"


def test_what_a_maker_of_faults_left_when_he_died_is_removed(
    demo: ClusterInMemory, control: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo.world.fail("put_archive", error=Killed())
    with pytest.raises(Killed):
        broken(demo, FaultKind.PAUSE_WORKER, "worker-2", 1)
    assert "demo-faults" in demo.states()
    assert "demo-faults" not in [action.target for action in demo.plan(QUICK).actions]
    with control():
        control.look_again(2)
        assert "demo-faults" in demo.states()
        monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
        eventually(lambda: "demo-faults" not in demo.states())


def test_what_a_fault_that_is_over_was_undone_with_is_removed_when_its_owner_died(
    demo: ClusterInMemory, control: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = demo.engine.containers({})[0].image
    wanted = Beside(demo.engine, PROJECT, "01ARZ3NDEKTSV4RRFFQ69G5FAV", image).spec("true")
    demo.engine.create(wanted)
    with control():
        control.look_again(2)
        assert wanted.name in demo.states()
        monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
        eventually(lambda: wanted.name not in demo.states())


def test_a_controller_that_stands_by_undoes_nothing(
    demo: ClusterInMemory, control: Running
) -> None:
    broken(demo, FaultKind.PAUSE_WORKER, "worker-2", 1)
    control.place.fake.holder = "another"
    with control():
        control.look_again(4)
    assert demo.states()["demo-worker-2"] == "paused"


def test_the_watchdog_does_not_judge_who_is_under_a_fault(
    demo: ClusterInMemory, control: Running
) -> None:
    seen = control.place.look(demo.engine, ask=False)
    faulted = frozenset({"redis-1", "worker-2"})
    view = View(seen, demo.wanted(), demo.config(QUICK), 0.0, faulted=faulted)
    assert {each.instance for each in targets_of(view) if each.left_alone} == faulted
    tried = {instance_of(row) for probe in probes_of(view) for row in probe.rows}
    assert tried == {"master-1", "worker-1", "worker-3"}


def test_in_the_cluster_they_are_read_from_the_mounted_volume(
    demo: ClusterInMemory, control: Running, tmp_path: Path
) -> None:
    made = broken(demo, FaultKind.PAUSE_WORKER, "worker-2", LONG)
    place = InCluster(PROJECT, tmp_path, tmp_path)
    seen = control.place.look(demo.engine, ask=False)
    assert place.faults(demo.engine, seen) == ()
    (tmp_path / "faults").mkdir()
    for name, data in stored(demo, "control").items():
        if name.startswith("/faults/"):
            (tmp_path / name.lstrip("/")).write_bytes(data)
    assert place.faults(demo.engine, seen) == (made,)
