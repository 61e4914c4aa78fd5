"""A cluster on the in-memory engine, with a fake master: the bed of the tests of jobctl.cluster."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobctl.cluster import DownReport, Plan, ScaleReport, UpReport, down, plan_up, scale, up
from jobctl.cluster.desired import Desired, desired
from jobctl.cluster.events import Event
from jobctl.cluster.image_tags import image_tags
from jobctl.cluster.observed import observe
from jobctl.config import Config
from tests.support.fake_master import FakeMaster
from tests.support.memory_engine import MemoryEngine
from tests.support.memory_world import World

PROJECT = "demo"
ALL = {
    f"demo-{name}": "running"
    for name in ("controller-1", "master-1", "redis-1", "worker-1", "worker-2", "worker-3")
}
"""The containers of the demo cluster when it is up."""


class ClusterInMemory:
    """One project in a world of its own; `up` and the others are those of jobctl.cluster."""

    def __init__(self, world: World, master: FakeMaster) -> None:
        self.world = world
        self.engine = MemoryEngine(world)
        self.master = master
        self.events: list[Event] = []
        for tag in image_tags(self.config()).values():
            world.add_image(tag)

    def config(self, settings: Mapping[str, Any] | None = None) -> Config:
        """Return a config with the given settings of cluster.yaml."""
        base: dict[str, Any] = {"name": PROJECT, "master": {"port": self.master.port}}
        for key, value in (settings or {}).items():
            base[key] = {**base[key], **value} if key in base and key != "name" else value
        return Config.model_validate(base)

    def up(self, settings: Mapping[str, Any] | None = None, **options: Any) -> UpReport:
        """Run `up`; not waiting for readiness unless told to."""
        chosen = {"wait": False, "file": "/home/me/cluster.yaml", **options}
        return up(self.config(settings), self.engine, on_event=self.events.append, **chosen)

    def plan(self, settings: Mapping[str, Any] | None = None, **options: Any) -> Plan:
        """Return what `up` would do."""
        return plan_up(self.config(settings), self.engine, file="/home/me/cluster.yaml", **options)

    def wanted(self, replicas: int = 3) -> Desired:
        """Return what the stored spec wants, with so many workers in the pool."""
        generation = observe(self.engine, PROJECT).generation
        assert generation is not None
        spec = replace(generation.spec, overrides={"default": replicas})
        return desired(spec, Config.model_validate(spec.config), "/home/me/cluster.yaml")

    def scale(self, pools: Mapping[str, int], **options: Any) -> ScaleReport:
        """Run `scale`; not waiting for readiness unless told to."""
        chosen = {"wait": False, **options}
        return scale(PROJECT, self.engine, pools, on_event=self.events.append, **chosen)

    def down(self, **options: Any) -> DownReport:
        """Run `down`."""
        return down(PROJECT, self.engine, on_event=self.events.append, **options)

    def mutations(self) -> list[str]:
        """Return the mutating calls so far, and forget them."""
        calls = [f"{m.call} {m.subject}" for m in self.world.mutations]
        self.world.mutations.clear()
        return calls

    def states(self) -> dict[str, str]:
        """Map the names of all containers to their states."""
        return {name: box.state for name, box in sorted(self.world.boxes.items())}


def stored(demo: ClusterInMemory, role: str) -> dict[str, bytes]:
    """Return the files of one of the volumes, by path."""
    _, tree = demo.world.volumes[f"{PROJECT}-{role}"]
    return {name: data for name, (info, data) in tree.entries.items() if info.isfile()}
