"""The engine itself is restarted, and killed, under load: nothing is lost, all comes back.

Not one of every run: it starts an engine of its own, which takes a minute and a machine to itself.
`script/accept control` runs it.
"""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from jobctl.engine import open_engine
from tests.support.eventually import eventually
from tests.support.live import LiveCluster
from tests.support.second_engine import SecondEngine, second_engine

SUBNET = "172.31.77.0/24"
PARTS = ("redis-1", "master-1", "controller-1", "worker-1", "worker-2")
ENDS = (
    (signal.SIGKILL, ()),
    (signal.SIGTERM, ()),
    (signal.SIGTERM, ("--live-restore",)),
    (signal.SIGKILL, ("--live-restore",)),
)
"""How the engine ends, and what it is started with: whether containers outlive it."""


@pytest.fixture
def own_engine(monkeypatch: pytest.MonkeyPatch, standing: LiveCluster) -> Iterator[SecondEngine]:
    """An engine of this test's own, with the images that the machine's engine has."""
    assert standing.url  # `up` made them
    with second_engine(SUBNET, monkeypatch) as engine:
        yield engine


def all_run(cluster: LiveCluster) -> bool:
    engine = open_engine()
    try:
        found = {row.name: row.state for row in engine.containers({})}
    finally:
        engine.close()
    return all(found.get(cluster.container(part)) == "running" for part in PARTS)


def answers(cluster: LiveCluster) -> bool:
    return cluster.run("jobs", check=False).code == 0


def all_ended(cluster: LiveCluster, ids: list[str]) -> bool:
    """Tell whether no job is left to be done; while the master does not answer, that is not so."""
    return cluster.run("wait", "--timeout", "60", *ids, check=False).code == 0


@pytest.fixture
def loaded(tmp_path: Path, own_engine: SecondEngine) -> Iterator[LiveCluster]:
    """A cluster on that engine."""
    settings = {
        "network": {"subnet": SUBNET},
        "controller": {"run": "container", "socket": str(own_engine.socket)},
        "lease": "5s",
        "heartbeat": "1s",
        "workers": {"default": {"replicas": 2}},
    }
    cluster = LiveCluster(tmp_path, settings)
    try:
        cluster.run("up")
        yield cluster
    finally:
        own_engine.start()
        cluster.engine = open_engine()  # the engine is another one than at the beginning
        cluster.close()


def test_the_engine_ends_under_load_and_the_cluster_comes_back(
    loaded: LiveCluster, own_engine: SecondEngine
) -> None:
    options: tuple[str, ...] = ()
    for number, following in ENDS:
        if following != options:
            own_engine.end(signal.SIGTERM)
            own_engine.start(*following)
            eventually(lambda: all_run(loaded) and answers(loaded), within=180)
            options = following
        ids = loaded.submit("--array", "60", "--", "sleep", "0.5")
        eventually(lambda: loaded.client.jobs(status="succeeded")["jobs"])
        own_engine.end(number)
        own_engine.start(*options)
        eventually(lambda: all_run(loaded), within=180)
        eventually(partial(all_ended, loaded, ids), within=180)
        assert {loaded.job(job_id)["status"] for job_id in ids} == {"succeeded"}
        found = loaded.successes()
        assert [found[job_id] for job_id in ids] == [1] * len(ids)
