"""A controller in its container: proof of death, and whatever died comes back."""

from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually
from tests.support.live import LiveCluster

# Nobody waits that long: what is released is released because its worker is proved dead.
ENDLESS = {"controller": {"run": "container"}, "lease": "10m", "heartbeat": "3s"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One cluster for all of them: each ends with all parts back. The last takes it down."""
    cluster = LiveCluster(tmp_path_factory.mktemp("watched"), ENDLESS)
    try:
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def running_on(cluster: LiveCluster, worker: str) -> list[str]:
    rows = cluster.client.jobs(status="running")["jobs"]
    return [row["id"] for row in rows if row["worker"] == worker]


def both(jobs: list[str]) -> list[str]:
    return jobs if len(jobs) == 2 else []


def container_runs(cluster: LiveCluster, name: str) -> bool:
    detail = cluster.engine.inspect(f"{cluster.project}-{name}")
    return detail is not None and detail.state == "running"


def test_the_jobs_of_a_killed_worker_run_elsewhere_and_it_comes_back(
    watched: LiveCluster,
) -> None:
    ids = watched.submit("--array", "6", "--", "sleep", "5")
    # As many as it runs at a time: no other can begin before it is killed.
    victims = eventually(lambda: both(running_on(watched, "worker-2")))
    watched.engine.kill(f"{watched.project}-worker-2")
    watched.wait(*ids)
    jobs = {job_id: watched.job(job_id) for job_id in ids}
    assert {job["status"] for job in jobs.values()} == {"succeeded"}
    for job_id in victims:
        [lost] = jobs[job_id]["history"]
        assert (lost["cause"], lost["worker"]) == ("worker-lost", "worker-2")
        assert "SIGKILL" in lost["reason"]
        assert jobs[job_id]["crashes"] == 1
    bystanders = [job for job_id, job in jobs.items() if job_id not in victims]
    assert {job["crashes"] for job in bystanders} == {0}
    eventually(lambda: container_runs(watched, "worker-2"))


def test_every_part_that_is_killed_or_removed_comes_back(watched: LiveCluster) -> None:
    watched.engine.kill(f"{watched.project}-redis-1")
    eventually(lambda: container_runs(watched, "redis-1"))
    watched.engine.kill(f"{watched.project}-master-1")
    eventually(lambda: container_runs(watched, "master-1"))
    watched.engine.remove(f"{watched.project}-worker-3", force=True)
    eventually(lambda: container_runs(watched, "worker-3"))
    [job] = watched.submit("--", "true")
    watched.wait(job)
    assert watched.job(job)["status"] == "succeeded"


def test_a_paused_worker_keeps_its_jobs(watched: LiveCluster) -> None:
    ids = watched.submit("--array", "6", "--", "sleep", "3")
    # As many as it runs at a time: no more can begin before it is paused.
    held = eventually(lambda: both(running_on(watched, "worker-1")))
    watched.pause("worker-1")
    rest = [job_id for job_id in ids if job_id not in held]
    watched.wait(*rest)
    # The others are long done, and the controller has looked more than once.
    assert running_on(watched, "worker-1") == held
    watched.engine.unpause(f"{watched.project}-worker-1")
    watched.wait(*held)
    assert {watched.job(job_id)["attempt"] for job_id in held} == {1}


def test_down_is_not_undone(watched: LiveCluster) -> None:
    watched.run("down", "--volumes", "--yes")
    assert watched.engine.containers({"jobctl.project": watched.project}) == []
    assert watched.engine.volumes({"jobctl.project": watched.project}) == []
