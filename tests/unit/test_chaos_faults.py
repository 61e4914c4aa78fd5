"""Faults: written down before they are made, undone whatever happens, within what was allowed."""

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobctl.chaos import generate, records
from jobctl.chaos import live as files
from jobctl.chaos.ballast import size_of
from jobctl.chaos.catalogue import CATALOGUE
from jobctl.chaos.errors import NotPossible, TooMuch
from jobctl.chaos.fault import BEING_MADE, Allowed, Fault, FaultKind, Instant, Json, LiveFault
from jobctl.chaos.faults.makers import MAKERS
from jobctl.chaos.inject import dry_run, heal, inject, live_faults, undo
from jobctl.cluster import owner
from jobctl.cluster.errors import NotUp
from jobctl.config.freshness import ROOT
from jobctl.engine.errors import EngineError
from tests.support.chaos_in_memory import give_logs_a_size, whole, with_programs
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory, stored
from tests.support.engine_lab import together
from tests.support.fake_master import FakeMaster
from tests.support.memory_world import Killed, World

K = FaultKind
WIDE = Allowed(at_once=9, share=1.0, seconds=3600)
LASTING = [
    Fault(K.KILL_WORKER, "worker-2", 20),
    Fault(K.STOP_WORKER, "worker-2", 20),
    Fault(K.PAUSE_WORKER, "worker-2"),
    Fault(K.KILL_MASTER, seconds=20),
    Fault(K.KILL_REDIS, seconds=20),
    Fault(K.PAUSE_REDIS),
    Fault(K.REDIS_FULL),
    Fault(K.PARTITION, "worker-2"),
    Fault(K.PARTITION, "redis-1"),
    Fault(K.PARTITION, "worker-2", params={"from": "redis"}),
    Fault(K.CUT_CONNECTION, "worker-2", params={"when": "after"}),
    Fault(K.WRONG_CLOCK, "worker-2"),
    Fault(K.DISK_FULL),
    Fault(K.SLOW_CPU, "worker-2", params={"cpus": 0.02}),
    Fault(K.MEMORY_PRESSURE, "worker-2"),
    Fault(K.KILL_CONTROLLER, seconds=20),
    Fault(K.REMOVE_CONTAINER, "worker-2", 20),
    Fault(K.REMOVE_CONTAINER, "controller-1", 20),
]
"""Each fault that lasts, in the ways in which it can be made on an engine in memory."""


def named(fault: Fault) -> str:
    return "-".join([fault.kind, fault.target or "any", *map(str, fault.params.values())])


@pytest.fixture
def up(demo: ClusterInMemory) -> ClusterInMemory:
    """The demo cluster, running, with what faults run in it."""
    with_programs(demo)
    demo.up()
    give_logs_a_size(demo)
    return demo


def make_fault(
    demo: ClusterInMemory, fault: Fault, allowed: Allowed = WIDE, seed: int = 1
) -> LiveFault | Instant:
    rng = random.Random(seed)
    return inject(demo.engine, PROJECT, fault, rng=rng, allowed=allowed, clock=lambda: 1000.0)


def alive(demo: ClusterInMemory) -> list[str]:
    return [live.kind for live in live_faults(demo.engine, PROJECT)]


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


@pytest.mark.parametrize("fault", LASTING, ids=named)
def test_whoever_dies_between_any_two_calls_heal_restores_the_world(
    make: type[ClusterInMemory], fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The process that dies here is this one, which lives on: say that it does not.
    monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
    world = World()
    with FakeMaster(world, PROJECT) as master:
        demo = make(world, master)
        with_programs(demo)
        demo.up()
        give_logs_a_size(demo)
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


@pytest.mark.parametrize("fault", LASTING, ids=named)
def test_two_that_undo_the_same_fault_at_once_do_no_harm(up: ClusterInMemory, fault: Fault) -> None:
    before = whole(up)
    made = make_fault(up, fault)
    assert isinstance(made, LiveFault)
    together(2, up.engine, lambda engine: undo(engine, PROJECT, made))
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


# -- the blast radius


def refused(demo: ClusterInMemory, fault: Fault, allowed: Allowed | None = None) -> TooMuch:
    demo.mutations()
    with pytest.raises(TooMuch) as caught:
        make_fault(demo, fault, allowed or Allowed())
    touched = {call.split()[1] for call in demo.mutations()}
    assert touched <= {"demo-faults"}
    assert caught.value.hint
    return caught.value


def test_one_at_a_time_is_allowed_unless_more_is(up: ClusterInMemory) -> None:
    make_fault(up, Fault(K.PAUSE_REDIS), Allowed())
    said = refused(up, Fault(K.PAUSE_WORKER, "worker-1"))
    assert "redis-1 is under a fault already" in str(said)
    make_fault(up, Fault(K.PAUSE_WORKER, "worker-1"), Allowed(at_once=2))
    assert alive(up) == [K.PAUSE_REDIS, K.PAUSE_WORKER]


def test_a_second_fault_on_the_same_container_is_within_the_radius(up: ClusterInMemory) -> None:
    make_fault(up, Fault(K.SLOW_CPU, "worker-1"), Allowed())
    # The second would take the squeezed cap for what it is to give back.
    with pytest.raises(NotPossible, match="worker-1 is under slow-cpu already"):
        make_fault(up, Fault(K.SLOW_CPU, "worker-1"), Allowed())
    make_fault(up, Fault(K.PAUSE_WORKER, "worker-1"), Allowed())
    with pytest.raises(NotPossible, match="does not run"):
        make_fault(up, Fault(K.PARTITION, "worker-1"), Allowed())


def test_half_of_a_pool_stays(up: ClusterInMemory) -> None:
    make_fault(up, Fault(K.KILL_WORKER, "worker-1"), Allowed())
    said = refused(up, Fault(K.KILL_WORKER, "worker-2"))
    assert "2 of the 3 workers" in str(said)
    make_fault(up, Fault(K.KILL_WORKER, "worker-2"), Allowed(share=0.7))


def test_what_was_not_allowed_is_refused(up: ClusterInMemory) -> None:
    said = refused(up, Fault(K.PAUSE_WORKER, "worker-1", 601))
    assert "601 s" in str(said)
    only = Allowed(kinds=frozenset({K.KILL_WORKER}))
    assert "kill-worker" in str(refused(up, Fault(K.PAUSE_REDIS), only))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(K.KILL_WORKER, "worker-9"), "There is no worker-9"),
        (Fault(K.KILL_MASTER, "worker-1"), "There is no worker-1 for kill-master"),
        (Fault(K.CRASH_WORKER, "worker-1", 20), "is over at once"),
        (Fault(K.SLOW_CPU, "worker-1", params={"cores": 1}), "has no setting cores"),
        (Fault(K.SLOW_CPU, "worker-1", params={"cpus": "few"}), "must be a number"),
        (Fault(K.PARTITION, "worker-1", params={"from": "mars"}), "is one of all, redis"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_touched(
    up: ClusterInMemory, fault: Fault, said: str
) -> None:
    before = whole(up)
    with pytest.raises(NotPossible, match=said) as caught:
        make_fault(up, fault)
    assert caught.value.hint
    assert whole(up) == before


def test_without_a_cluster_there_is_nothing_to_break(demo: ClusterInMemory) -> None:
    with pytest.raises(NotUp):
        make_fault(demo, Fault(K.KILL_WORKER))
    assert (live_faults(demo.engine, PROJECT), heal(demo.engine, PROJECT)) == ((), ())


def test_a_seed_chooses_the_same_one_again(up: ClusterInMemory) -> None:
    def one(seed: int) -> str:
        made = make_fault(up, Fault(K.PAUSE_WORKER), seed=seed)
        heal(up.engine, PROJECT)
        return made.instance

    chosen = [one(seed) for seed in range(8)]
    assert [one(seed) for seed in range(8)] == chosen
    assert len(set(chosen)) > 1


def test_a_dry_run_says_what_would_be_done_and_does_nothing(up: ClusterInMemory) -> None:
    up.mutations()
    said = dry_run(up.engine, PROJECT, Fault(K.PAUSE_WORKER, "worker-2", 5))
    assert said.startswith("pause-worker on worker-2 for 5 s: ")
    assert up.mutations() == []
    with pytest.raises(TooMuch):
        dry_run(up.engine, PROJECT, Fault(K.PAUSE_WORKER, "worker-2", 6000))


# -- what cannot be done here


def test_the_disk_of_the_engines_host_is_never_filled(demo: ClusterInMemory) -> None:
    with_programs(demo)
    demo.up()
    before = whole(demo)
    with pytest.raises(NotPossible, match="has no size of its own") as caught:
        make_fault(demo, Fault(K.DISK_FULL))
    assert "docker volume create --opt type=tmpfs" in caught.value.hint
    assert whole(demo) == before


def test_the_engine_is_restarted_only_by_the_command_that_was_given(up: ClusterInMemory) -> None:
    with pytest.raises(NotPossible, match="is yours to say"):
        make_fault(up, Fault(K.RESTART_ENGINE))
    with pytest.raises(NotPossible, match="failed: sorry"):
        make_fault(up, Fault(K.RESTART_ENGINE, params={"command": "echo sorry >&2; false"}))
    made = make_fault(up, Fault(K.RESTART_ENGINE, params={"command": "true"}))
    assert isinstance(made, Instant)


def test_only_commands_that_go_on_from_anywhere_are_killed(up: ClusterInMemory) -> None:
    with pytest.raises(NotPossible, match="not down"):
        make_fault(up, Fault(K.KILL_COMMAND, params={"command": "down --volumes"}))
    with pytest.raises(NotPossible, match="is not on this machine"):
        make_fault(up, Fault(K.KILL_COMMAND))


def test_who_is_cut_off_from_himself_is_told_so(up: ClusterInMemory) -> None:
    with pytest.raises(NotPossible, match="name the other end"):
        make_fault(up, Fault(K.PARTITION, "redis-1", params={"from": "master"}))
    with pytest.raises(NotPossible, match="name the other end"):
        make_fault(up, Fault(K.PARTITION, "master-1", params={"from": "master"}))


def test_a_wrong_clock_is_wrong(up: ClusterInMemory) -> None:
    make_fault(up, Fault(K.WRONG_CLOCK, "worker-2", params={"offset": -60}))
    env = up.world.boxes["demo-worker-2"].spec.env
    assert (env["FAKETIME"], "faketime" in env["LD_PRELOAD"]) == ("-60", True)
    assert up.plan().empty


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, None),
        ({"type": "nfs", "device": ":/x"}, None),
        ({"type": "tmpfs", "o": "mode=755"}, None),
        ({"type": "tmpfs", "o": "mode=755,size=2m"}, 2 << 20),
        ({"type": "tmpfs", "o": "size=1000"}, 1000),
        ({"type": "ext4", "device": "/dev/loop7"}, 4 << 30),
        ({"type": "ext4", "device": "/dev/sda1"}, None),
    ],
)
def test_a_volume_has_a_size_of_its_own_or_not(options: dict[str, str], size: int | None) -> None:
    assert size_of(options) == size


# -- the data


def test_every_kind_is_in_the_catalogue_and_can_be_made() -> None:
    assert set(CATALOGUE) == set(K)
    for kind, entry in CATALOGUE.items():
        assert entry.kind == kind
        assert all((entry.does, entry.undone, entry.expect))
        assert entry.lasts or entry.seconds is None
    assert set(MAKERS) == set(K)


def test_a_record_is_read_as_it_was_written() -> None:
    places: dict[str, Json] = {
        "networks": {"demo-net": {"aliases": ["redis"], "address": "10.0.0.2"}}
    }
    one = LiveFault("01B", K.PARTITION, "redis-1", "c1", 1.0, 21.0, places)
    other = LiveFault("01A", K.PAUSE_REDIS, "redis-1", "c1", 0.5, 2.0, {"thaw": True})
    kept = contents(one, other)
    assert files.live_in(kept) == (other, one)
    torn = {name: data[:-9] for name, data in kept.items()}
    assert files.live_in(torn) == ()
    assert files.live_in({"jobctl/control/spec-1.json": kept[files.paths("01A")[1]]}) == ()


def test_while_a_record_is_replaced_the_one_before_it_counts() -> None:
    made = LiveFault("01A", K.KILL_WORKER, "worker-1", "c1", 5.0, 25.0, {"run": True})
    begun = replace(made, made_at=BEING_MADE, deadline=50.0)
    kept = contents(begun, made)
    path = files.paths("01A")[1]
    assert files.live_in(contents(begun)) == (begun,)
    assert files.live_in(kept) == (made,)
    for half in (b"", kept[path][:20], files.OVER[:2]):
        assert files.live_in({**kept, path: half}) == (begun,)
    over = {**kept, path: files.OVER}
    assert (files.live_in(over), files.over_in(over)) == ((), ["01A"])
    assert files.over_in(kept) == []


def contents(*faults: LiveFault) -> Mapping[str, bytes]:
    return {f.path: f.data for fault in faults for f in files.files(fault) if f.data is not None}


def test_records_outlive_the_cluster_and_do_no_harm_to_the_next(up: ClusterInMemory) -> None:
    make_fault(up, Fault(K.PAUSE_WORKER, "worker-2"))
    up.down()
    assert heal(up.engine, PROJECT) == ()
    up.up()
    before = up.states()
    assert len(heal(up.engine, PROJECT)) == 1
    assert up.states() == before
    assert not any("faults/" in name for name in stored(up, "control"))


def test_the_files_of_what_is_over_are_removed_when_there_are_many_and_by_heal(
    up: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lying() -> int:
        return sum("/faults/" in name for name in stored(up, "control")) // 2

    monkeypatch.setattr(records, "_MANY", 2)
    for count in (1, 2, 0, 1):
        made = make_fault(up, Fault(K.PAUSE_WORKER, "worker-1"))
        assert isinstance(made, LiveFault)
        undo(up.engine, PROJECT, made)
        assert lying() == count
    heal(up.engine, PROJECT)
    assert lying() == 0


def test_the_document_holds_the_catalogue(tmp_path: Path) -> None:
    assert generate.stale() == [], "python -m jobctl.chaos.generate"
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "chaos.md"
    page.write_text((ROOT / "docs" / "chaos.md").read_text().replace("SIGKILL", "a kill"))
    assert generate.main(["--check"], tmp_path) == 1
    assert generate.main([], tmp_path) == generate.main(["--check"], tmp_path) == 0
