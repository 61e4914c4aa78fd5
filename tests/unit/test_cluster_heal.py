"""Plans of the controller compared as text: what it mends, and what it leaves alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.cluster.desired import desired
from jobctl.cluster.observed import observe
from jobctl.cluster.plan_heal import plan_heal, plan_shrink
from jobctl.cluster.spec import Socket
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.fake_master import FakeMaster
from tests.support.memory_world import World


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterInMemory]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    world = World()
    with FakeMaster(world, PROJECT) as master:
        yield ClusterInMemory(world, master)


def healed(demo: ClusterInMemory, *alone: str, **options: Any) -> list[str]:
    return plan_heal(demo.wanted(**options), observe(demo.engine, PROJECT), alone).lines()


def test_a_sound_cluster_is_left_as_it_is(demo: ClusterInMemory) -> None:
    demo.up()
    assert healed(demo) == []


def test_what_ended_is_started_and_what_is_missing_made(demo: ClusterInMemory) -> None:
    demo.up()
    demo.engine.kill("demo-worker-2")
    demo.engine.kill("demo-redis-1")
    demo.engine.remove("demo-worker-3", force=True)
    assert healed(demo) == [
        "start redis-1: it does not run",
        "start worker-2: it does not run",
        "create worker-3: it is missing",
        "start worker-3: it was just created",
    ]
    assert healed(demo, "worker-2", "worker-3") == ["start redis-1: it does not run"]


def test_a_pause_is_not_undone(demo: ClusterInMemory) -> None:
    demo.up()
    demo.engine.pause("demo-worker-1")
    assert healed(demo) == []


def test_workers_that_are_too_many_go_when_their_jobs_have_ended(demo: ClusterInMemory) -> None:
    demo.up()
    assert healed(demo, replicas=2) == []
    seen = observe(demo.engine, PROJECT)
    assert plan_shrink(demo.wanted(2), seen).lines() == [
        "drain worker-3: the pool default wants 2 workers, not 3",
        "stop worker-3: the pool default wants 2 workers, not 3",
        "remove worker-3: the pool default wants 2 workers, not 3",
    ]
    assert plan_shrink(demo.wanted(2), seen, {"worker-3"}).empty


def test_a_changed_setting_is_not_the_controllers_business(demo: ClusterInMemory) -> None:
    demo.up()
    generation = observe(demo.engine, PROJECT).generation
    assert generation is not None
    other = desired(
        generation.spec, demo.config({"workers": {"default": {"cpus": 1.0}}}), "cluster.yaml"
    )
    assert plan_heal(other, observe(demo.engine, PROJECT)).empty


def test_a_network_that_is_gone_comes_back_with_its_containers(demo: ClusterInMemory) -> None:
    demo.up()
    for name in demo.states():
        demo.engine.disconnect("demo-net", name)
    demo.engine.remove_network("demo-net")
    plan = healed(demo)
    assert plan[0] == "create network demo-net: it does not exist"
    assert "remove worker-1: its network is gone" in plan
    assert "create worker-1: its network is gone" in plan


def test_the_controller_is_part_of_what_should_be(demo: ClusterInMemory) -> None:
    demo.up({"controller": {"run": "off"}})
    seen = observe(demo.engine, PROJECT)
    assert seen.generation is not None
    spec = seen.generation.spec
    images = {**spec.images, "controller": "controller:1"}
    found = type(spec)(spec.config, images, {}, None, Socket("/run/docker.sock", 106))
    config = demo.config({"controller": {"run": "container", "replicas": 2}})
    plan = plan_heal(desired(found, config, "cluster.yaml"), seen)
    assert plan.lines() == [
        "create controller-1: it is missing",
        "start controller-1: it was just created",
        "create controller-2: it is missing",
        "start controller-2: it was just created",
    ]
    [made] = [a.container for a in plan.actions if a.id == "create controller-1"]
    assert made is not None
    assert (made.user, made.groups, made.cap_add, made.ports) == ("10004:10004", ("106",), (), ())
    assert made.read_only
    off = demo.config({"controller": {"run": "off"}})
    assert plan_heal(desired(found, off, "cluster.yaml"), seen).empty
