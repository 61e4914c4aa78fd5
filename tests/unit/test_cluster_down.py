"""`down` and `ps` on an engine in memory: jobs first, then containers."""

import threading
from pathlib import Path

import pytest

from jobctl.cluster import NotUp, connection, owner, ps
from jobctl.cluster.containers import SHORT_STOP
from jobctl.cluster.observed import observe
from jobctl.cluster.plan_down import plan_controllers_down
from jobctl.engine.errors import NotFound
from tests.support.cluster_in_memory import ALL, PROJECT, ClusterInMemory
from tests.support.memory_world import Killed


@pytest.fixture
def demo(demo: ClusterInMemory) -> ClusterInMemory:
    """A cluster that is up."""
    demo.up()
    demo.mutations()
    return demo


def test_down_removes_all_but_the_volumes(demo: ClusterInMemory) -> None:
    report = demo.down()
    assert demo.states() == {}
    assert demo.world.networks == {}
    assert sorted(demo.world.volumes) == [
        f"demo-{role}" for role in ("control", "jobs", "redis", "secrets")
    ]
    assert sorted(report.removed) == [
        "controller-1",
        "master-1",
        "network demo-net",
        "redis-1",
        "worker-1",
        "worker-2",
        "worker-3",
    ]
    with pytest.raises(NotUp):
        connection(PROJECT)


def test_down_with_volumes(demo: ClusterInMemory) -> None:
    report = demo.down(volumes=True)
    assert demo.world.volumes == {}
    assert "volume demo-redis" in report.removed


def test_what_a_controller_on_this_host_knew_goes_with_the_volumes(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    incidents = tmp_path / "jobctl" / PROJECT / "controller" / "incidents"
    incidents.mkdir(parents=True)
    (incidents.parent / "state.json").touch()
    demo.down()
    assert incidents.exists()
    demo.up()
    demo.down(volumes=True)
    assert not incidents.parent.exists()


def test_the_controller_goes_before_anything_that_it_would_bring_back(
    demo: ClusterInMemory,
) -> None:
    for volumes in (False, True):
        demo.down(volumes=volumes)
        calls = demo.mutations()
        assert calls[0] == "stop demo-controller-1"
        assert "remove demo-controller-1" in calls
        demo.up()
        demo.mutations()


def test_a_controller_that_is_to_leave_nothing_is_killed(demo: ClusterInMemory) -> None:
    seen = observe(demo.engine, PROJECT)
    ends = {force: plan_controllers_down(seen, force=force).actions for force in (False, True)}
    assert [(a.verb, a.subject, a.seconds) for a in ends[True]] == [("stop", "controller-1", 0.0)]
    assert ends[False][0].seconds == SHORT_STOP


def test_workers_go_before_redis_and_the_master(demo: ClusterInMemory) -> None:
    demo.down()
    calls = demo.mutations()
    last_worker = max(calls.index(f"stop demo-worker-{n}") for n in (1, 2, 3))
    assert calls.index("stop demo-redis-1") > last_worker
    assert calls.index("stop demo-master-1") > last_worker
    assert calls[-1] == "remove_network demo-net"


def test_down_drains_with_the_given_grace_and_counts_what_went_back(demo: ClusterInMemory) -> None:
    demo.master.jobs = {"worker-1": ["a", "b"], "worker-3": ["c"]}
    demo.master.reluctant = {"worker-1", "worker-3"}
    demo.master.statuses = {"a": "queued", "b": "succeeded", "c": "queued"}

    def hand_back() -> None:
        demo.master.drained.wait(10)
        while len(demo.master.draining) < 3:
            demo.master.drained.wait(0.01)
        still = {name: state for name, state in ALL.items() if name != "demo-controller-1"}
        assert demo.states().items() >= still.items()
        looks = len(demo.master.requests)
        while len(demo.master.requests) < looks + 3:
            demo.master.drained.wait(0.01)
        demo.master.jobs = {}

    helper = threading.Thread(target=hand_back)
    helper.start()
    report = demo.down(grace=4.0)
    helper.join()
    assert set(demo.master.draining.values()) == {4.0}
    assert report.handed_back == 2


def test_down_without_a_master_leaves_it_to_the_stop_signal(demo: ClusterInMemory) -> None:
    demo.world.end("demo-master-1", 137)
    demo.down()
    assert demo.states() == {}
    assert any("stop signal" in event.text for event in demo.events)


def test_down_is_no_error_without_a_cluster(demo: ClusterInMemory) -> None:
    demo.down(volumes=True)
    assert demo.down().removed == []


def test_down_thaws_what_is_paused(demo: ClusterInMemory) -> None:
    demo.engine.pause("demo-worker-2")
    demo.mutations()
    demo.down()
    calls = demo.mutations()
    assert calls.index("unpause demo-worker-2") < calls.index("stop demo-worker-2")


def test_half_a_cluster_goes_down_too(demo: ClusterInMemory) -> None:
    demo.engine.remove("demo-redis-1", force=True)
    demo.engine.remove("demo-worker-1", force=True)
    demo.world.end("demo-worker-2", 0)
    demo.down(volumes=True)
    assert (demo.states(), demo.world.networks, demo.world.volumes) == ({}, {}, {})


def test_a_down_that_dies_after_any_call_is_completed_by_the_next(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "is_gone", lambda _owner: True)
    demo.down(volumes=True)
    calls = len(demo.mutations())
    for step in range(1, calls + 1):
        demo.up()
        demo.world.fail("*", step, Killed(), after=True)
        for later in range(step + 1, step + 40):
            demo.world.fail("*", later, Killed())
        with pytest.raises(Killed):
            demo.down(volumes=True)
        demo.world.faults.clear()
        demo.down(volumes=True)
        assert (demo.states(), demo.world.networks, demo.world.volumes) == ({}, {}, {})


def test_an_up_after_half_a_down_brings_all_back(demo: ClusterInMemory) -> None:
    demo.world.fail("stop", 2, Killed())
    for later in range(3, 40):
        demo.world.fail("*", later, Killed())
    with pytest.raises(Killed):
        demo.down()
    demo.world.faults.clear()
    demo.up()
    assert set(demo.states().values()) == {"running"}
    alive = {demo.master.incarnation(f"worker-{n}") for n in (1, 2, 3)}
    assert demo.master.draining.keys().isdisjoint(alive)


def test_what_vanishes_meanwhile_is_looked_at_again(demo: ClusterInMemory) -> None:
    demo.world.fail("stop", 1, NotFound("No such container."))
    demo.down()
    assert demo.states() == {}


def test_ps_lists_redis_the_master_and_workers_in_order(demo: ClusterInMemory) -> None:
    demo.scale({"default": 11})
    demo.world.end("demo-worker-2", 137, oom_killed=True)
    rows = ps(PROJECT, demo.engine)
    assert [row.name for row in rows] == [
        "redis-1",
        "master-1",
        "controller-1",
        *(f"worker-{n}" for n in range(1, 12)),
    ]
    by_name = {row.name: row for row in rows}
    assert by_name["worker-2"].exit == "exit code 137, memory had run out in it"
    assert by_name["worker-1"].exit == ""
    assert (by_name["worker-1"].cpus, by_name["worker-1"].memory) == (0.5, 128 << 20)
    assert by_name["master-1"].ports == f"127.0.0.1:{demo.master.port}->8000"
    assert (by_name["worker-1"].pool, by_name["redis-1"].pool) == ("default", "")


def test_ps_of_nothing(demo: ClusterInMemory) -> None:
    assert ps("nothing", demo.engine) == []
