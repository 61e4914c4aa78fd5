"""Services of the user's own: made after what they need, confined, and kept or taken away."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jobctl.cluster.errors import ClusterError
from jobctl.cluster.observed import observe
from jobctl.cluster.plan_heal import plan_heal
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.fake_master import FakeMaster
from tests.support.memory_world import World

WEB = {
    "image": "web:1",
    "command": ["serve"],
    "volumes": {"pages": "/data"},
    "ports": ["18080:80"],
    "depends_on": {"db": "healthy", "redis": "started"},
}
DB = {"image": "db:1", "health": {"command": ["ready"]}}
BOTH: Mapping[str, Any] = {"services": {"web": WEB, "db": DB}}


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterInMemory]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    world = World()
    world.add_image("web:1")
    world.add_image("db:1")
    with FakeMaster(world, PROJECT) as master:
        yield ClusterInMemory(world, master)


def test_a_service_starts_after_what_it_needs(demo: ClusterInMemory) -> None:
    plan = demo.plan(BOTH)
    after = {action.id: set(action.after) for action in plan.actions}
    assert "await db-1: web needs it healthy" in plan.lines()
    assert after["await db-1"] == {"start db-1"}
    assert after["start web-1"] >= {"create web-1", "start redis-1", "await db-1"}
    assert "create volume demo-pages" in after["create web-1"]
    assert "start db-1" not in after["create web-1"]


def test_the_controller_waits_for_no_service(demo: ClusterInMemory) -> None:
    after = {action.id: set(action.after) for action in demo.plan(BOTH).actions}
    assert "start master-1" in after["start controller-1"]
    assert not after["start controller-1"] & {"start web-1", "start db-1"}


def test_it_is_confined_as_our_own_are(demo: ClusterInMemory) -> None:
    demo.up({"services": {"web": {**WEB, "depends_on": {}}}})
    spec = demo.world.boxes["demo-web-1"].spec
    assert (spec.cap_add, spec.user, spec.aliases) == ((), "", ("web", "web-1"))
    assert [(p.host_ip, p.host_port, p.container_port) for p in spec.ports] == [
        ("127.0.0.1", 18080, 80)
    ]
    assert [(m.kind, m.source, m.target) for m in spec.mounts] == [
        ("volume", "demo-pages", "/data")
    ]
    assert demo.plan({"services": {"web": {**WEB, "depends_on": {}}}}).empty


def test_a_changed_setting_replaces_it_and_it_alone(demo: ClusterInMemory) -> None:
    demo.up({"services": {"db": DB}})
    plan = demo.plan({"services": {"db": {**DB, "cpus": 1.0}}})
    assert [a.id for a in plan.actions if a.kind == "container"] == [
        "stop db-1",
        "remove db-1",
        "create db-1",
        "start db-1",
    ]
    assert "create db-1: services.db.cpus 0.5 → 1.0" in plan.lines()


def test_one_that_is_no_longer_in_the_file_goes_and_its_volume_stays(demo: ClusterInMemory) -> None:
    demo.up({"services": {"web": {**WEB, "depends_on": {}}}})
    demo.up()
    assert "demo-web-1" not in demo.world.boxes
    assert "demo-pages" in demo.world.volumes
    demo.down(volumes=True)
    assert demo.world.volumes == {}


def test_one_that_is_to_run_once_is_not_started_again(demo: ClusterInMemory) -> None:
    once = {"services": {"db": {"image": "db:1", "restart": "never"}}}
    demo.up(once)
    demo.engine.stop("demo-db-1", 0)
    assert demo.plan(once).empty
    seen = observe(demo.engine, PROJECT)
    assert plan_heal(demo.wanted(), seen).empty


def test_an_image_that_cannot_be_had_is_told_before_anything_is_made(demo: ClusterInMemory) -> None:
    with pytest.raises(ClusterError, match=r"The image nowhere:1 of the service web") as refused:
        demo.up({"services": {"web": {"image": "nowhere:1"}}})
    assert refused.value.hint.startswith("docker pull nowhere:1")
    assert demo.states() == {}
