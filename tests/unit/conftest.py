"""The demo cluster on an engine in memory, for the tests of `up` and what surrounds it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.cluster import owner
from jobctl.engine.model import Executed
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.fake_master import FakeMaster
from tests.support.memory_world import World
from tests.support.watched import Clock, Watched


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[ClusterInMemory]:
    """What makes a cluster in a world of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    # The world's clock is not ours: a lock of this moment must not look old.
    monkeypatch.setattr(owner, "STALE_AFTER", float("inf"))
    # Whatever else changes the cluster has done so at once.
    monkeypatch.setattr("jobctl.cluster.converge._PAUSE", 0.01)
    return ClusterInMemory


@pytest.fixture
def demo(make: type[ClusterInMemory]) -> Iterator[ClusterInMemory]:
    """A cluster that nothing was done to yet."""
    world = World()
    with FakeMaster(world, PROJECT) as master:
        yield make(world, master)


@pytest.fixture
def watched(make: type[ClusterInMemory], tmp_path: Path) -> Iterator[Watched]:
    """A watchdog over a cluster in memory, with a program of the name ``check``."""
    clock = Clock()
    world = World(clock)
    with FakeMaster(world, PROJECT) as master:
        cluster = make(world, master)
        world.add_image("some:1")
        world.programs["check"] = lambda _name, _argv: Executed(0, b"")
        yield Watched(cluster, tmp_path / "kept", clock)
