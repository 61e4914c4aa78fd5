"""`scale` on an engine in memory: those that stay are not touched, those that go end their jobs."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobctl.cluster import ClusterError, NotUp, owner, scale, spec
from jobctl.cluster.errors import UnknownPool
from tests.support.cluster_in_memory import ALL, PROJECT, ClusterInMemory
from tests.support.fake_master import FakeMaster
from tests.support.memory_world import Killed, World


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterInMemory]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(owner, "STALE_AFTER", float("inf"))
    world = World()
    with FakeMaster(world, PROJECT) as master:
        cluster = ClusterInMemory(world, master)
        cluster.up()
        cluster.mutations()
        yield cluster


def workers(demo: ClusterInMemory) -> list[str]:
    return [name.removeprefix("demo-") for name in demo.states() if "worker" in name]


def test_scale_up_touches_no_existing_worker(demo: ClusterInMemory) -> None:
    report = demo.scale({"default": 5}, wait=True)
    assert (report.before, report.after) == ({"default": 3}, {"default": 5})
    touched = {call.split()[1] for call in demo.mutations()}
    assert touched == {"demo-seed", "demo-worker-4", "demo-worker-5"}


def test_scale_down_drains_first_and_lets_jobs_end(demo: ClusterInMemory) -> None:
    demo.master.jobs = {"worker-3": ["a"], "worker-2": ["b"]}
    demo.master.reluctant = {"worker-3", "worker-2"}
    done = threading.Event()

    def end_the_job() -> None:
        assert demo.master.drained.wait(10)
        done.set()
        demo.master.jobs.pop("worker-2", None)
        demo.master.jobs.pop("worker-3", None)

    helper = threading.Thread(target=end_the_job)
    helper.start()
    report = demo.scale({"default": 1})
    helper.join()
    assert done.is_set()
    # worker-1 is idle and goes first, then the highest of those that are busy.
    assert sorted(report.removed) == ["worker-1", "worker-3"]
    assert set(demo.master.draining.values()) == {None}
    assert workers(demo) == ["worker-2"]


def test_scale_back_to_the_file_is_no_override(demo: ClusterInMemory) -> None:
    demo.scale({"default": 4})
    demo.scale({"default": 3})
    assert demo.up().overrides == {}


def test_to_nothing_and_back(demo: ClusterInMemory) -> None:
    demo.scale({"default": 0})
    assert workers(demo) == []
    assert demo.up().overrides == {"default": 0}
    demo.scale({"default": 2})
    assert workers(demo) == ["worker-1", "worker-2"]


def test_scale_uses_the_spec_that_runs_not_an_edited_file(demo: ClusterInMemory) -> None:

    edited = demo.config({"workers": {"default": {"memory": "96MB"}}})
    scale(edited, demo.engine, {"default": 4}, wait=False)
    boxes = demo.world.boxes
    assert boxes["demo-worker-4"].spec.memory == boxes["demo-worker-1"].spec.memory


def test_scale_without_a_master_says_so(demo: ClusterInMemory) -> None:
    demo.world.end("demo-master-1", 137)
    assert sorted(demo.scale({"default": 1}).removed) == ["worker-2", "worker-3"]
    assert workers(demo) == ["worker-1"]


def test_nobody_scales_beyond_what_a_pool_can_have(demo: ClusterInMemory) -> None:
    demo.up()
    with pytest.raises(ClusterError, match="500"):
        demo.scale({"default": 5000})
    assert demo.states() == ALL


def test_scale_needs_a_cluster_and_a_pool(demo: ClusterInMemory) -> None:
    with pytest.raises(UnknownPool, match="gpu"):
        demo.scale({"gpu": 2})
    demo.down()
    with pytest.raises(NotUp) as caught:
        demo.scale({"default": 2})
    assert caught.value.hint == "jobctl up"


def test_a_cluster_of_another_version_is_brought_up_before_it_is_scaled(
    demo: ClusterInMemory,
) -> None:
    _, tree = demo.world.volumes["demo-control"]
    [(path, (info, data))] = [(p, e) for p, e in tree.entries.items() if e[0].isfile()]
    now = spec.newest({path: data})
    assert now is not None
    older: dict[str, object] = {**now.spec.config, "a-setting-of-then": 1}
    stored = spec.file(replace(now, spec=replace(now.spec, config=older))).data
    assert stored is not None
    info.size = len(stored)
    tree.entries[path] = (info, stored)
    with pytest.raises(ClusterError, match="another version of jobctl") as raised:
        demo.scale({"default": 4})
    assert raised.value.hint == "jobctl up"
    demo.up()
    demo.scale({"default": 4})
    assert len(workers(demo)) == 4


def test_a_scale_that_died_is_completed_by_up(demo: ClusterInMemory) -> None:
    demo.world.fail("start", 1, Killed())
    for later in range(1, 40):
        demo.world.fail("start", later, Killed())
    with pytest.raises(Killed):
        demo.scale({"default": 5})
    demo.world.faults.clear()
    assert demo.up().overrides == {"default": 5}
    assert set(demo.states().values()) == {"running"}
    assert len(workers(demo)) == 5
