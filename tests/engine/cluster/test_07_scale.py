"""The fleet grows and shrinks with jobs running; nothing is lost, none is cut short."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.eventually import eventually
from tests.support.live import LiveCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One cluster for both: each ends with the three workers it began with."""
    live = LiveCluster(tmp_path_factory.mktemp("scale"))
    try:
        live.run("up")
        yield live
    finally:
        live.close()


def test_up_and_back_with_jobs_running(
    cluster: LiveCluster, size: Callable[[int, int], int]
) -> None:
    many, jobs = size(8, 50), size(60, 400)
    before = {w["name"]: w["incarnation"] for w in cluster.client.workers()}
    ids = cluster.submit("--array", f"0-{jobs - 1}", "--", "sh", "-c", "sleep 1; echo {}")
    cluster.run("scale", f"worker={many}", within=300)
    grown = {w["name"]: w["incarnation"] for w in cluster.client.workers()}
    assert len(grown) == many
    assert before.items() <= grown.items()

    cluster.run("scale", "3", within=300)
    eventually(lambda: len(cluster.client.workers()) == 3)
    ended = list(cluster.client.wait(ids, timeout=600))
    assert len(ended) == jobs
    assert {job["status"] for job in ended} == {"succeeded"}
    # What a worker had claimed and not begun goes back when it is told to go; whatever had begun
    # was taken from nobody: that would be in the history.
    again = cluster.jobs(job["id"] for job in ended if job["attempt"] > 1)
    assert [(job["id"], job["history"]) for job in again if job["history"]] == []
    assert {(job["failures"], job["crashes"]) for job in again} <= {(0, 0)}
    rows = cluster.json("ps")["instances"]
    assert len([row for row in rows if row["service"] == "worker"]) == 3


def test_a_scale_override_is_kept_by_up_until_it_is_reset(cluster: LiveCluster) -> None:
    cluster.run("scale", "1")
    again = cluster.run("up")
    assert "scale" in again.err
    assert len(cluster.client.workers()) == 1
    cluster.run("up", "--reset-scale")
    eventually(lambda: len(cluster.client.workers()) == 3)
