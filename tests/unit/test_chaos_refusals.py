"""Faults that are refused: beyond what was allowed, or not possible here."""

import pytest

from jobctl.chaos.ballast import size_of
from jobctl.chaos.errors import NotPossible, TooMuch
from jobctl.chaos.fault import Allowed, Fault, FaultKind, Instant
from jobctl.chaos.inject import dry_run, heal, live_faults
from jobctl.cluster.errors import NotUp
from tests.support.chaos_in_memory import (
    alive,
    brought_up,
    make_fault,
    whole,
    with_programs,
)
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory

K = FaultKind


@pytest.fixture
def up(demo: ClusterInMemory) -> ClusterInMemory:
    """The demo cluster, running, with what faults run in it."""
    return brought_up(demo)


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
