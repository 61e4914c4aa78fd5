"""Plans compared as text: what `up` would do in each situation, why, and in which order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.cluster import NameTaken, Plan
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.observed import observe
from jobctl.cluster.plan_down import plan_down
from jobctl.engine.model import ContainerSpec, Network, Volume
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.fake_master import FakeMaster
from tests.support.memory_files import FileTree
from tests.support.memory_world import World


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterInMemory]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    world = World()
    with FakeMaster(world, PROJECT) as master:
        yield ClusterInMemory(world, master)


def shown(plan: Plan) -> str:
    return "\n".join(plan.lines())


def graph(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {action.id: action.after for action in plan.actions}


FRESH = """\
create network demo-net: it does not exist
create volume demo-control: it does not exist
create volume demo-jobs: it does not exist
create volume demo-redis: it does not exist
create volume demo-secrets: it does not exist
write spec: the cluster has no secrets and no spec yet
create master-1: it does not exist
start master-1: it was just created
create redis-1: it does not exist
start redis-1: it was just created
create worker-1: it does not exist
start worker-1: it was just created
create worker-2: it does not exist
start worker-2: it was just created
create worker-3: it does not exist
start worker-3: it was just created
create controller-1: it does not exist
start controller-1: it was just created"""


def test_a_cluster_from_nothing(demo: ClusterInMemory) -> None:
    assert shown(demo.plan()) == FRESH


def test_from_nothing_all_containers_start_at_once(demo: ClusterInMemory) -> None:
    after = graph(demo.plan())
    ground = {name for name in after if name.startswith(("create network", "create volume"))}
    parts = ("redis-1", "master-1", "worker-1", "worker-2", "worker-3")
    for name in parts:
        assert set(after[f"create {name}"]) == ground
        assert set(after[f"start {name}"]) == {f"create {name}", "write spec"}
    assert set(after["create controller-1"]) == ground
    # Nobody waits for it, so it takes no processor from those that are waited for.
    starts = {f"start {name}" for name in parts}
    assert set(after["start controller-1"]) == {"create controller-1", "write spec", *starts}
    assert set(after["write spec"]) == ground - {"create network demo-net"}


def test_planning_changes_nothing(demo: ClusterInMemory) -> None:
    demo.plan()
    assert demo.mutations() == []


def test_missing_images_are_built_first(demo: ClusterInMemory) -> None:
    demo.world.images.clear()
    plan = demo.plan()
    assert [a.subject for a in plan.actions if a.verb == "build"] == [
        "image controller",
        "image master",
        "image redis",
        "image worker",
    ]
    assert "build image worker" in graph(plan)["create worker-1"]
    assert "build image worker" in graph(plan)["write spec"]


def test_images_that_are_built_again_are_not_said_to_be_missing(demo: ClusterInMemory) -> None:
    causes = {a.cause for a in demo.plan(build=True).actions if a.verb == "build"}
    assert causes == {"asked for"}


def test_nothing_to_do(demo: ClusterInMemory) -> None:
    demo.up()
    assert demo.plan().empty


def test_an_edit_touches_just_what_it_changes(demo: ClusterInMemory) -> None:
    demo.up()
    plan = demo.plan({"workers": {"default": {"memory": "96MB", "replicas": 2}}})
    change = "workers.default.memory 128MB → 96MB"
    assert shown(plan) == "\n".join(
        [
            "write spec: it differs from generation 1",
            "drain worker-3: the pool default wants 2 workers, not 3",
            "stop worker-3: the pool default wants 2 workers, not 3",
            "remove worker-3: the pool default wants 2 workers, not 3",
            *replacement("worker-1", change),
            *replacement("worker-2", change),
        ]
    )
    assert plan.notes == ("wave 1 of 2: worker-1", "wave 2 of 2: worker-2")
    assert "undrain worker-1" in graph(plan)["drain worker-2"]


def replacement(worker: str, change: str) -> list[str]:
    """Return the lines of a worker's replacement in a rolling update."""
    return [
        f"drain {worker}: {change}",
        f"trial {worker}: it gets no other job before its canary has succeeded",
        f"stop {worker}: {change}",
        f"remove {worker}: {change}",
        f"create {worker}: {change}",
        f"start {worker}: it was just created",
        f"await {worker}: it must register first",
        f"canary {worker}: it must show that it can run a job",
        f"undrain {worker}: it is fit for work",
    ]


def test_redis_and_the_master_are_replaced_before_the_first_worker(demo: ClusterInMemory) -> None:
    demo.up()
    plan = demo.plan({"logs": {"files": 5}})
    after = graph(plan)
    assert after["stop redis-1"] == after["stop master-1"] == ()
    assert {"start redis-1", "start master-1"} <= set(after["drain worker-1"])
    assert "create redis-1: logs.files 3 → 5" in plan.lines()


def test_another_image(demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.up()
    settings = {"build": {"redis_image": "redis:8"}}
    assert "stop redis-1: its image changed" in demo.plan(settings).lines()
    assert "stop master-1: its image changed" not in demo.plan(settings).lines()


def test_replicas_are_not_part_of_what_a_worker_is(demo: ClusterInMemory) -> None:
    demo.up()
    assert shown(demo.plan({"workers": {"default": {"replicas": 4}}})) == "\n".join(
        [
            "write spec: it differs from generation 1",
            "create worker-4: it does not exist",
            "start worker-4: it was just created",
        ]
    )


def test_a_pool_that_is_no_longer_in_the_file(demo: ClusterInMemory) -> None:
    demo.up({"workers": {"default": {}, "gpu": {"replicas": 1, "grace": "3s"}}})
    plan = demo.plan({"workers": {"default": {}}})
    gone = "the pool gpu is no longer in the file"
    assert shown(plan) == "\n".join(
        [
            "write spec: it differs from generation 1",
            f"drain worker-gpu-1: {gone}",
            f"stop worker-gpu-1: {gone}",
            f"remove worker-gpu-1: {gone}",
        ]
    )
    assert plan.actions[1].seconds == 3.0


def test_what_ended_is_started_and_what_is_missing_made(demo: ClusterInMemory) -> None:
    demo.up()
    demo.world.end("demo-worker-1", 137)
    demo.engine.pause("demo-worker-2")
    demo.engine.remove("demo-worker-3", force=True)
    assert shown(demo.plan()) == "\n".join(
        [
            "start worker-1: it does not run",
            "unpause worker-2: it is paused",
            "create worker-3: it does not exist",
            "start worker-3: it was just created",
        ]
    )


def test_a_hole_in_the_ordinals_is_filled_first(demo: ClusterInMemory) -> None:
    demo.up()
    demo.engine.remove("demo-worker-2", force=True)
    plan = demo.plan({"workers": {"default": {"replicas": 4}}})
    created = [a.subject for a in plan.actions if a.verb == "create"]
    assert created == ["worker-2", "worker-4"]


def test_when_a_pool_shrinks_the_dead_go_first_then_the_idle_then_the_highest(
    demo: ClusterInMemory,
) -> None:
    demo.up({"workers": {"default": {"replicas": 5}}})
    demo.world.end("demo-worker-1", 137)
    demo.master.jobs = {"worker-5": ["a"], "worker-2": ["b"]}
    plan = demo.plan({"workers": {"default": {"replicas": 1}}})
    removed = [a.subject for a in plan.actions if a.verb == "remove"]
    assert removed == ["worker-1", "worker-4", "worker-3", "worker-5"]
    assert "drain worker-1" not in graph(plan)


def test_without_a_network_every_container_is_made_anew(demo: ClusterInMemory) -> None:
    demo.up()
    for name in demo.states():
        demo.world.end(name, 0)
    demo.world.networks.clear()
    plan = demo.plan()
    assert "create network demo-net" in graph(plan)["create worker-1"]
    assert "remove redis-1: its network is gone" in plan.lines()


def test_a_worker_that_was_left_draining_works_again(demo: ClusterInMemory) -> None:
    demo.up()
    demo.master.draining[demo.master.incarnation("worker-2")] = None
    assert demo.plan().lines() == ["undrain worker-2: it takes no jobs"]


def test_the_subnet_cannot_change_under_a_running_cluster(demo: ClusterInMemory) -> None:
    demo.up()
    with pytest.raises(ClusterError, match="subnet") as caught:
        demo.plan({"network": {"subnet": "172.31.0.0/24"}})
    assert "down" in caught.value.hint


def test_down_keeps_redis_for_the_workers_and_the_ground_to_the_end(demo: ClusterInMemory) -> None:
    demo.up({"controller": {"run": "off"}})
    plan = plan_down(observe(demo.engine, PROJECT), volumes=True, grace=2.0)
    after = graph(plan)
    stops = {f"stop worker-{n}" for n in (1, 2, 3)}
    assert set(after["stop redis-1"]) == stops
    assert all(after[name] == () for name in (*stops, "stop master-1"))
    removed = {
        name for name in after if name.startswith("remove") and name.endswith(("-1", "-2", "-3"))
    }
    assert set(after["remove network demo-net"]) == removed
    assert set(after["remove volume demo-jobs"]) == removed
    assert next(a for a in plan.actions if a.id == "stop worker-1").seconds == 7


def test_a_drained_cluster_that_goes_with_its_volumes_is_removed_at_once(
    demo: ClusterInMemory,
) -> None:
    demo.up()
    seen = observe(demo.engine, PROJECT)
    plan = plan_down(seen, volumes=True, grace=2.0, drained=True)
    containers = [action for action in plan.actions if action.kind == "container"]
    assert {(a.verb, a.force, a.after) for a in containers} == {("remove", True, ())}
    kept = plan_down(seen, volumes=False, grace=2.0, drained=True)
    assert not any(action.force for action in kept.actions)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("container", "demo-master-1"), ("network", "demo-net"), ("volume", "demo-redis")],
)
def test_what_is_foreign_is_named_and_left_alone(
    demo: ClusterInMemory, kind: str, name: str
) -> None:
    demo.world.add_image("theirs:1")
    if kind == "container":
        demo.engine.create(foreign(name))
    elif kind == "network":
        demo.world.networks[name] = Network("id", name, "bridge", {})
    else:
        demo.world.volumes[name] = (Volume(name, {}), FileTree())
    demo.mutations()
    with pytest.raises(NameTaken, match=f"{kind} named {name} ") as caught:
        demo.up()
    assert name in caught.value.hint
    assert "-p OTHER" in caught.value.hint
    # Nothing but the look for the engine's socket, which leaves nothing behind.
    assert [call for call in demo.mutations() if "demo-probe-" not in call] == []


def foreign(name: str) -> ContainerSpec:
    return ContainerSpec(
        name=name,
        image="theirs:1",
        command=("sleep",),
        network="bridge",
        aliases=(),
        cpus=1.0,
        memory=1 << 24,
        pids=16,
        labels={"jobctl.project": "other"},
        health=None,
    )
