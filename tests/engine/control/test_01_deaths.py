"""A controller in its container, and on the host: proof of death, and whatever died comes back."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from jobctl.client import ClientError
from tests.support.eventually import eventually
from tests.support.live import FLAGS, UNTIL_LET_GO, LiveCluster

# Nobody waits that long: what is released is released because its worker is proved dead.
ENDLESS = {"lease": "10m", "heartbeat": "3s", "workers": {"default": {"mounts": [FLAGS]}}}
FULL = os.environ.get("JOBCTL_TEST_SIZE") == "full"
everywhere = pytest.mark.parametrize("watched", ["container", "host"], indirect=True)
# In the short form the host's controller, which is the same code, shows only that it works.
in_full_everywhere = pytest.mark.parametrize(
    "watched", ["container", "host"] if FULL else ["container"], indirect=True
)


@pytest.fixture(scope="module")
def watched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveCluster]:
    """One cluster for all of them: each ends with all parts back. The last takes it down."""
    where = str(request.param)
    settings = {**ENDLESS, "controller": {"run": where}}
    cluster = LiveCluster(tmp_path_factory.mktemp("watched"), settings)
    try:
        cluster.run("up")
        with controller_on_this_host(cluster) if where == "host" else nullcontext():
            yield cluster
    finally:
        cluster.close()


@contextmanager
def controller_on_this_host(cluster: LiveCluster) -> Iterator[None]:
    """Run `jobctl controller run` from when it acts until SIGTERM ends it."""
    log = cluster.folder / "controller.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            cluster.command("controller", "run"),
            cwd=cluster.folder,
            env=cluster.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: '"event": "acts"' in log.read_text())
        yield
    finally:
        process.terminate()
        assert process.wait(60) == 0, log.read_text()[-3000:]


def running_on(cluster: LiveCluster, worker: str) -> list[str]:
    rows = cluster.client.jobs(status="running")["jobs"]
    return [row["id"] for row in rows if row["worker"] == worker]


def both(jobs: list[str]) -> list[str]:
    return jobs if len(jobs) == 2 else []


def container_runs(cluster: LiveCluster, name: str) -> bool:
    detail = cluster.engine.inspect(f"{cluster.project}-{name}")
    return detail is not None and detail.state == "running"


def answers(cluster: LiveCluster) -> bool:
    """Tell whether the master does: its container runs a while before that."""
    try:
        return bool(cluster.client.workers())
    except ClientError:
        return False


@everywhere
def test_the_jobs_of_a_killed_worker_run_elsewhere_and_it_comes_back(
    watched: LiveCluster,
) -> None:
    ids = watched.submit("--array", "6", "--", "sh", "-c", UNTIL_LET_GO)
    # As many as it runs at a time.
    victims = eventually(lambda: both(running_on(watched, "worker-2")))
    watched.engine.kill(f"{watched.project}-worker-2")
    eventually(lambda: all(job["history"] for job in watched.jobs(victims)))
    watched.let_go(*ids)
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


@in_full_everywhere
def test_every_part_that_is_killed_or_removed_comes_back(watched: LiveCluster) -> None:
    watched.engine.kill(f"{watched.project}-redis-1")
    eventually(lambda: container_runs(watched, "redis-1"))
    watched.engine.kill(f"{watched.project}-master-1")
    eventually(lambda: container_runs(watched, "master-1"))
    watched.engine.remove(f"{watched.project}-worker-3", force=True)
    eventually(lambda: container_runs(watched, "worker-3"))
    eventually(lambda: answers(watched))
    [job] = watched.submit("--", "true")
    watched.wait(job)
    assert watched.job(job)["status"] == "succeeded"


@in_full_everywhere
def test_a_paused_worker_keeps_its_jobs(watched: LiveCluster) -> None:
    ids = watched.submit("--array", "6", "--", "sh", "-c", UNTIL_LET_GO)
    # As many as it runs at a time.
    held = eventually(lambda: both(running_on(watched, "worker-1")))
    watched.pause("worker-1")
    rest = [job_id for job_id in ids if job_id not in held]
    watched.let_go(*rest)
    # Long enough for the controller to look more than once.
    watched.wait(*rest, *watched.submit("--", "sleep", "3"))
    assert sorted(running_on(watched, "worker-1")) == sorted(held)
    watched.let_go(*held)
    watched.engine.unpause(f"{watched.project}-worker-1")
    watched.wait(*held)
    assert {watched.job(job_id)["attempt"] for job_id in held} == {1}


@in_full_everywhere
def test_down_is_not_undone(watched: LiveCluster) -> None:
    watched.run("down", "--volumes", "--yes")
    assert watched.engine.containers({"jobctl.project": watched.project}) == []
    assert watched.engine.volumes({"jobctl.project": watched.project}) == []
