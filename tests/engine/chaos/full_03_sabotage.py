"""A cluster with one promise taken out FAILs its drill, for that reason; the genuine one PASSes."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.live import LiveCluster
from tests.support.sabotage import FENCE_OFF, NO_PATIENCE, SWEEPER_OFF, Sabotage, sabotaged

QUICK = {"lease": "3s", "heartbeat": "1s"}
STEADY = {"start_within": "40s", "backlog": 1000}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A cluster whose controller is patient for six seconds."""
    yield from _cluster(tmp_path_factory.mktemp("kept"), {"controller": {"patience": "6s"}})


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A cluster without a controller: leases alone decide."""
    yield from _cluster(tmp_path_factory.mktemp("alone"), {"controller": {"run": "off"}})


def _cluster(folder: Path, settings: dict[str, Any]) -> Iterator[LiveCluster]:
    cluster = LiveCluster(folder, {**QUICK, **settings})
    try:
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def held(cluster: LiveCluster, sabotage: Sabotage | None, body: dict[str, Any]) -> Any:
    """Hold a drill on a cluster, sabotaged or not; return its exit code and its verdict."""
    path = cluster.folder / "drill.yaml"
    path.write_text(yaml.safe_dump({"steady": STEADY, **body}))
    with sabotaged(cluster, sabotage) if sabotage else nullcontext():
        ran = cluster.run(
            *("--output", "json", "chaos", "drill", str(path), "--seed", "1"),
            check=False,
            within=300,
        )
    [verdict] = ran.data["runs"]
    return ran.code, verdict


def passed(cluster: LiveCluster, body: dict[str, Any]) -> bool:
    code, verdict = held(cluster, None, body)
    assert (code, verdict["reasons"]) == (0, [])
    return bool(verdict["outcome"] == "PASS")


# A worker stands still until its jobs run elsewhere, wakes up while they do, and ends its own.
WAKES_UP = {
    "lasts": "5s",
    "workload": {"long": {"kind": "sleep", "rate": "2/s", "count": 6, "takes": "18s"}},
    "faults": [{"at": "4s", "fault": "pause-worker", "target": "worker-1", "lasts": "15s"}],
    "recover_within": "60s",
}


def test_without_the_fence_a_stale_end_is_accepted(kept: LiveCluster) -> None:
    assert passed(kept, WAKES_UP)
    code, verdict = held(kept, FENCE_OFF, WAKES_UP)
    assert (code, verdict["outcome"]) == (1, "FAIL"), verdict
    assert verdict["cut_short"] + verdict["accepted_twice"] > 0
    assert verdict["lost"] == verdict["stuck"] == 0


# Who died is not replaced while the drill goes on, and nobody proves its death.
DIES = {
    "lasts": "6s",
    "workload": {"jobs": {"kind": "sleep", "rate": "4/s", "takes": "2s"}},
    "faults": [{"at": "3s", "fault": "kill-worker", "target": "worker-1"}],
    "recover_within": "25s",
}


def test_without_the_sweeper_jobs_of_the_dead_are_stuck(alone: LiveCluster) -> None:
    assert passed(alone, DIES)
    code, verdict = held(alone, SWEEPER_OFF, DIES)
    assert (code, verdict["outcome"]) == (1, "FAIL"), verdict
    assert verdict["stuck"] > 0
    assert verdict["lost"] == verdict["accepted_twice"] == verdict["cut_short"] == 0
    story = "\n".join(verdict["defects"][0]["story"])
    assert "fault: kill-worker of worker-1" in story


# Longer than a lease (10 s), much shorter than the patience (30 s): nothing may be taken from who
# stands still.
PAUSES = {
    "lasts": "10s",
    "workload": {"jobs": {"kind": "sleep", "rate": "1/s", "takes": "4s"}},
    "faults": [{"at": "5s", "fault": "pause-worker", "target": "worker-1", "lasts": "12s"}],
    "recover_within": "60s",
    "run_twice_at_most": 0,
}


def test_without_patience_jobs_of_the_paused_run_twice(standing: LiveCluster) -> None:
    assert passed(standing, PAUSES)
    code, verdict = held(standing, NO_PATIENCE, PAUSES)
    assert (code, verdict["outcome"]) == (1, "FAIL"), verdict
    assert verdict["run_twice"] > 0
    assert any("run twice" in reason for reason in verdict["reasons"])
    assert verdict["lost"] == verdict["accepted_twice"] == verdict["stuck"] == 0
