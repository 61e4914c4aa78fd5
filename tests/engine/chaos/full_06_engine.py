"""The drill that restarts the engine itself: no job is lost, and all containers come back.

Not one of every run: it starts an engine of its own. `script/accept chaos` runs it.
"""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from jobctl.engine import open_engine
from tests.engine.chaos.test_01_drills import PATIENT, leaves_no_marks, open_jobs, state
from tests.support.eventually import eventually
from tests.support.live import LiveCluster
from tests.support.second_engine import SecondEngine, second_engine

SUBNET = "172.31.78.0/24"


@pytest.fixture
def own_engine(monkeypatch: pytest.MonkeyPatch, standing: LiveCluster) -> Iterator[SecondEngine]:
    """An engine of this test's own, with the images that the machine's engine has."""
    assert standing.url  # `up` made them
    with second_engine(SUBNET, monkeypatch) as engine:
        yield engine


@pytest.fixture
def cluster(tmp_path: Path, own_engine: SecondEngine) -> Iterator[LiveCluster]:
    """A cluster on that engine."""
    settings = {
        "network": {"subnet": SUBNET},
        "controller": {"run": "container", "socket": str(own_engine.socket)},
        "workers": {"default": {"replicas": 2}},
    }
    cluster = LiveCluster(tmp_path, settings)
    try:
        cluster.run("up")
        yield cluster
    finally:
        own_engine.start()
        cluster.engine = open_engine()
        cluster.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_engine_is_restarted_and_the_verdict_is_pass(
    cluster: LiveCluster, own_engine: SecondEngine, tmp_path: Path, number: signal.Signals
) -> None:
    before = state(cluster)
    asked, done = tmp_path / "asked", tmp_path / "done"
    for pipe in (asked, done):
        os.mkfifo(pipe)

    def restart() -> None:
        """What the command asks for: the engine is a child of this process."""
        asked.read_bytes()
        own_engine.end(number)
        own_engine.start()
        done.write_bytes(b"")

    threading.Thread(target=restart, daemon=True).start()
    command = f"echo > {asked}; cat {done}"
    workload = {
        "shells": {"kind": "sleep", "rate": "4/s", "takes": "1s"},
        "functions": {"kind": "function", "rate": "4/s", "takes": "50ms"},
    }
    faults = [{"at": "3s", "fault": "restart-engine", "settings": {"command": command}}]
    path = cluster.folder / "engine.yaml"
    body = {"lasts": "10s", "workload": workload, "faults": faults, **PATIENT}
    path.write_text(yaml.safe_dump(body))
    ran = cluster.run(
        *("--output", "json", "chaos", "drill", str(path), "--seed", "1"), check=False, within=600
    )
    [verdict] = ran.data["runs"]
    assert (ran.code, verdict["outcome"], verdict["reasons"]) == (0, "PASS", []), ran.err
    assert [one["kind"] for one in verdict["faults"]] == ["restart-engine"]
    cluster.engine = open_engine()
    eventually(lambda: state(cluster) == before)
    assert leaves_no_marks(cluster)
    assert open_jobs(cluster) == []
