"""Faults: written down before they are made, and undone whatever happens."""

import random
from typing import Any

import pytest

from jobctl.chaos import records
from jobctl.chaos.beside import Beside
from jobctl.chaos.catalogue import CATALOGUE
from jobctl.chaos.drills.fault_plan import DueFault
from jobctl.chaos.drills.in_cluster import InCluster
from jobctl.chaos.errors import NotPossible
from jobctl.chaos.fault import Allowed, Fault, FaultKind, Instant, LiveFault
from jobctl.chaos.inject import heal, live_faults, undo
from jobctl.cluster import owner
from jobctl.engine.errors import EngineError
from tests.support.chaos_in_memory import (
    alive,
    brought_up,
    make_fault,
    whole,
)
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.engine_lab import together
from tests.support.fake_master import FakeMaster
from tests.support.memory_world import Killed, World

K = FaultKind
EVERY_WAY = [
    Fault(K.KILL_WORKER, "worker-2", 20),
    Fault(K.PAUSE_WORKER, "worker-2"),
    Fault(K.REDIS_FULL),
    Fault(K.PARTITION, "redis-1"),
    Fault(K.PARTITION, "worker-2", params={"from": "redis"}),
    Fault(K.CUT_CONNECTION, "worker-2", params={"when": "after"}),
    Fault(K.WRONG_CLOCK, "worker-2"),
    Fault(K.DISK_FULL),
    Fault(K.SLOW_CPU, "worker-2", params={"cpus": 0.02}),
    Fault(K.REMOVE_CONTAINER, "controller-1", 20),
]
"""One for each way in which a fault is undone."""
LASTING = [
    *EVERY_WAY,
    Fault(K.STOP_WORKER, "worker-2", 20),
    Fault(K.KILL_MASTER, seconds=20),
    Fault(K.KILL_REDIS, seconds=20),
    Fault(K.PAUSE_REDIS),
    Fault(K.PARTITION, "worker-2"),
    Fault(K.MEMORY_PRESSURE, "worker-2"),
    Fault(K.KILL_CONTROLLER, seconds=20),
    Fault(K.REMOVE_CONTAINER, "worker-2", 20),
]
"""Each fault that lasts, in the ways in which it can be made on an engine in memory."""


def named(fault: Fault) -> str:
    return "-".join([fault.kind, fault.target or "any", *map(str, fault.params.values())])


@pytest.fixture
def up(demo: ClusterInMemory) -> ClusterInMemory:
    """The demo cluster, running, with what faults run in it."""
    return brought_up(demo)


@pytest.mark.parametrize("fault", LASTING, ids=named)
def test_a_fault_is_recorded_before_it_is_made_and_undone_as_if_it_never_was(
    up: ClusterInMemory, fault: Fault
) -> None:
    before = whole(up)
    up.world.fail("put_archive", error=EngineError("no"))
    with pytest.raises(EngineError):
        make_fault(up, fault)
    assert whole(up) == before
    up.mutations()
    made = make_fault(up, fault)
    calls = up.mutations()
    assert isinstance(made, LiveFault)
    assert live_faults(up.engine, PROJECT) == (made,)
    seconds = fault.seconds or CATALOGUE[fault.kind].seconds
    assert (made.made_at, made.deadline) == (1000.0, 1000.0 + (seconds or 0))
    assert calls.count("put_archive demo-faults") == 2
    damaged = whole(up)
    assert {**damaged, "live": ()} != before
    undo(up.engine, PROJECT, made)
    assert whole(up) == before
    up.mutations()
    undo(up.engine, PROJECT, made)
    assert whole(up) == before
    touched = {call.split()[1] for call in up.mutations()}
    asked = {up.world.boxes["demo-redis-1"].id} if fault.kind is K.REDIS_FULL else set()
    assert all("fault" in name or name in asked for name in touched)
    # Its maker and the controller, at the same moment.
    again = make_fault(up, fault)
    assert isinstance(again, LiveFault)
    together(2, up.engine, lambda engine: undo(engine, PROJECT, again))
    assert whole(up) == before


@pytest.mark.parametrize("fault", EVERY_WAY, ids=named)
def test_whoever_dies_between_any_two_calls_heal_restores_the_world(
    make: type[ClusterInMemory], fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process that dies here is this one, which lives on: say that it does not.
    monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
    world = World()
    with FakeMaster(world, PROJECT) as master:
        demo = make(world, master)
        brought_up(demo)
        before, step, whole_runs = whole(demo), 0, 0
        while not whole_runs:
            step += 1
            world.fail("*", step, Killed())
            # Dead is dead: it says nothing after that call either.
            try:
                made = make_fault(demo, fault)
                assert isinstance(made, LiveFault)
                undo(demo.engine, PROJECT, made)
                whole_runs += 1
            except Killed:
                pass
            world.faults.clear()
            heal(demo.engine, PROJECT)
            assert whole(demo) == before, f"after a death at call {step}"
        assert step > 8


def test_what_was_prepared_is_not_built_when_it_is_made(up: ClusterInMemory) -> None:
    faults = [
        Fault(K.PARTITION, "worker-2", params={"from": "redis"}),
        Fault(K.CUT_CONNECTION, "worker-2"),
        Fault(K.WRONG_CLOCK, "worker-2"),
        Fault(K.RESTART_ENGINE, params={"command": "false"}),
    ]
    before = whole(up)
    up.mutations()
    due = [DueFault(0.0, fault, random.Random(1), drawn=True) for fault in faults]
    InCluster(up.engine, PROJECT, Allowed()).prepare(due)
    assert whole(up) == before
    assert sorted(call.split()[0] for call in up.mutations()) == ["build", "build"]
    for fault in faults[:3]:
        made = make_fault(up, fault)
        assert isinstance(made, LiveFault)
        undo(up.engine, PROJECT, made)
    assert not [call for call in up.mutations() if call.startswith("build")]


def test_ctrl_c_while_a_container_does_its_work_leaves_neither(up: ClusterInMemory) -> None:
    before = whole(up)
    up.world.fail("start", error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        make_fault(up, Fault(K.PARTITION, "worker-2", params={"from": "redis"}))
    assert whole(up) == before


def test_what_undid_a_fault_that_is_over_is_removed_when_its_owner_died(
    up: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, fault = whole(up), "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    image = up.engine.containers({})[0].image
    up.engine.create(Beside(up.engine, PROJECT, fault, image).spec("true"))
    heal(up.engine, PROJECT)
    assert whole(up) != before
    monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
    heal(up.engine, PROJECT)
    assert whole(up) == before


def test_whoever_finds_his_fault_undone_while_he_makes_it_undoes_the_rest(
    up: ClusterInMemory,
) -> None:
    before = whole(up)
    disconnect = up.engine.disconnect
    healed: list[str] = []

    def slowly(network: str, container: str) -> None:
        if not healed:
            healed.extend(heal(up.engine, PROJECT))
        disconnect(network, container)

    up.engine.disconnect = slowly  # type: ignore[method-assign]
    with pytest.raises(NotPossible, match="undone by somebody else"):
        make_fault(up, Fault(K.PARTITION, "worker-2"))
    assert len(healed) == 1
    assert whole(up) == before


def test_whoever_undoes_one_that_goes_on_being_made_looks_again(up: ClusterInMemory) -> None:
    before = whole(up)
    up.world.fail("pause", error=Killed())
    with pytest.raises(Killed):
        make_fault(up, Fault(K.PAUSE_WORKER, "worker-2"))
    end = records.end
    late: list[str] = []

    def meanwhile(*given: Any) -> None:
        if not late:
            late.append("paused")
            up.engine.pause("demo-worker-2")
        end(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "end", meanwhile)
        heal(up.engine, PROJECT)
    assert late
    assert whole(up) == before


def test_what_is_over_at_once_leaves_no_record(up: ClusterInMemory) -> None:
    before = whole(up)
    made = make_fault(up, Fault(K.RESTART_REDIS))
    assert isinstance(made, Instant)
    assert whole(up) == before
    for kind, state in ((K.CRASH_WORKER, "running"), (K.KILL_WORKER, "exited")):
        made = make_fault(up, Fault(kind, "worker-3"))
        assert isinstance(made, Instant)
        assert made.instance == "worker-3"
        assert (up.states()["demo-worker-3"], alive(up)) == (state, [])
    make_fault(up, Fault(K.KILL_CONTROLLER))
    assert up.states()["demo-controller-1"] == "running"
    make_fault(up, Fault(K.REMOVE_CONTAINER, "worker-1"))
    assert "demo-worker-1" not in up.states()


def test_a_restart_that_was_cut_short_is_completed(up: ClusterInMemory) -> None:
    before = whole(up)
    up.world.fail("start", error=Killed())
    with pytest.raises(Killed):
        make_fault(up, Fault(K.RESTART_REDIS))
    assert up.states()["demo-redis-1"] == "exited"
    heal(up.engine, PROJECT)
    assert whole(up) == before


@pytest.mark.parametrize("error", [EngineError("no"), KeyboardInterrupt()], ids=["refused", "^C"])
def test_what_fails_or_is_interrupted_is_undone_at_once(
    up: ClusterInMemory, error: BaseException
) -> None:
    before = whole(up)
    up.world.fail("pause", error=error, after=True)
    with pytest.raises(type(error)):
        make_fault(up, Fault(K.PAUSE_WORKER, "worker-1"))
    assert whole(up) == before


def test_heal_undoes_all_that_it_can_and_tells_what_it_could_not(up: ClusterInMemory) -> None:
    before = whole(up)
    first = make_fault(up, Fault(K.PAUSE_WORKER, "worker-1"))
    second = make_fault(up, Fault(K.SLOW_CPU, "worker-2"))
    up.world.fail("unpause")
    with pytest.raises(EngineError):
        heal(up.engine, PROJECT)
    assert alive(up) == [K.PAUSE_WORKER]
    assert heal(up.engine, PROJECT) == (first.id,)
    assert second.id != first.id
    assert whole(up) == before
    assert heal(up.engine, PROJECT) == ()


def test_a_fault_goes_with_its_container(up: ClusterInMemory) -> None:
    make_fault(up, Fault(K.PARTITION, "worker-2"))
    make_fault(up, Fault(K.SLOW_CPU, "worker-1"))
    for name in ("demo-worker-1", "demo-worker-2"):
        up.engine.remove(name, force=True)
    up.up()
    before = whole(up)
    assert len(heal(up.engine, PROJECT)) == 2
    assert whole(up) == {**before, "live": ()}
    assert alive(up) == []


def test_the_names_and_the_address_come_back(up: ClusterInMemory) -> None:
    box = up.world.boxes["demo-redis-1"]
    aliases, addresses = dict(box.aliases), dict(box.addresses)
    made = make_fault(up, Fault(K.PARTITION, "redis-1"))
    assert isinstance(made, LiveFault)
    assert not box.addresses
    undo(up.engine, PROJECT, made)
    assert (box.aliases, box.addresses) == (aliases, addresses)


def test_the_engine_gives_another_address_where_it_cannot_give_that_one(
    up: ClusterInMemory,
) -> None:
    made = make_fault(up, Fault(K.PARTITION, "worker-1"))
    assert isinstance(made, LiveFault)
    up.world.fail("connect")
    undo(up.engine, PROJECT, made)
    assert up.world.boxes["demo-worker-1"].aliases == {"demo-net": ("worker-1",)}
