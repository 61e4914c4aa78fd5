"""Fixtures of the tests that need a real engine. Without one they fail; they never skip."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import LiveCluster

MakeCluster = Callable[..., LiveCluster]


@pytest.fixture
def make_cluster(tmp_path: Path) -> Iterator[MakeCluster]:
    """Return a function that makes clusters of this test's own; all are removed afterwards."""
    made: list[LiveCluster] = []

    def make(settings: dict[str, Any] | None = None) -> LiveCluster:
        folder = tmp_path / f"cluster-{len(made)}"
        folder.mkdir()
        made.append(LiveCluster(folder, settings))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture
def cluster(make_cluster: MakeCluster) -> LiveCluster:
    """A running cluster with the defaults of the reference cluster."""
    live = make_cluster()
    live.run("up")
    return live


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """The reference cluster, for all tests that leave it as they found it."""
    live = LiveCluster(tmp_path_factory.mktemp("standing"))
    try:
        live.run("up")
        yield live
    finally:
        live.close()


@pytest.fixture(scope="session")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One worker with one slot, for all tests that leave no job behind.

    Every job has the same UID as the one before it.
    """
    pool = {"replicas": 1, "concurrency": 1}
    live = LiveCluster(tmp_path_factory.mktemp("lone"), {"workers": {"default": pool}})
    try:
        live.run("up")
        yield live
    finally:
        live.close()


@pytest.fixture
def size() -> Callable[[int, int], int]:
    """Return ``size(short, full)``: the short figure, or the full one under script/accept."""
    full = os.environ.get("JOBCTL_TEST_SIZE") == "full"
    return lambda short, whole: whole if full else short
