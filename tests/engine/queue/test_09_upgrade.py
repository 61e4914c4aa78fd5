"""A cluster that the first schema's own code brought up is taken over with jobs in flight."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.engine.conftest import MakeCluster
from tests.support.eventually import eventually
from tests.support.live import FLAGS, REPOSITORY, LiveCluster

# The last commit whose queue had schema 1.
FIRST = "d5b101e"


@pytest.fixture(scope="module")
def first_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the first schema's code from the repository's history."""
    folder = tmp_path_factory.mktemp("first")
    archive = folder / "code.tar"
    git = ["git", "-C", str(REPOSITORY), "archive", f"--output={archive}", FIRST]
    subprocess.run(git, check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "code", filter="data")
    return folder / "code"


def earlier(cluster: LiveCluster, code: Path, *arguments: str) -> str:
    """Run a command of the earlier jobctl on a cluster; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "jobctl", "-f", str(cluster.file), *arguments],
        cwd=cluster.folder,
        env={**cluster.environment, "PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_jobs_in_flight_of_the_first_schema_all_end(
    make_cluster: MakeCluster, first_code: Path
) -> None:
    cluster = make_cluster()
    workers = {
        "default": {
            "replicas": 2,
            "grace": "1s",
            "mounts": [FLAGS],
        }
    }
    cluster.write({"workers": workers, "jobs": {"backoff": {"base": "15s", "jitter": 0}}})
    earlier(cluster, first_code, "up")

    def submit(*arguments: str) -> list[str]:
        return earlier(cluster, first_code, "submit", *arguments).split()

    [ended] = submit("--name", "ended", "--", "echo", "from before")
    earlier(cluster, first_code, "wait", ended)
    # Fails once, then waits out its backoff: scheduled while the cluster is replaced.
    [again] = submit("--max-attempts", "2", "--", "sh", "-c", '[ "$JOBCTL_ATTEMPT" -gt 1 ]')
    eventually(lambda: statuses(cluster, first_code, again) == {"scheduled"})
    gate = "until [ -e /flags/go ]; do sleep 0.1; done; echo through"
    running = [job_id for _ in range(4) for job_id in submit("--", "sh", "-c", gate)]
    queued = submit("--array", "0-49", "--", "true")
    eventually(lambda: statuses(cluster, first_code, *running) == {"running"})
    # One worker dies with its jobs, and nobody has noticed yet; the other hands its own back.
    cluster.engine.kill(cluster.container("worker-2"))

    cluster.write({"workers": workers, "jobs": {"retry": {"max_attempts": 1}}})
    cluster.run("up")
    cluster.let_go("go")
    everything = [ended, again, *running, *queued]
    cluster.wait(*everything)
    jobs = dict(zip(everything, cluster.jobs(everything), strict=True))
    assert {job["status"] for job in jobs.values()} == {"succeeded"}
    assert [jobs[job_id]["failures"] for job_id in (again, *running)] == [1, 0, 0, 0, 0]
    assert sum(jobs[job_id]["crashes"] for job_id in running) <= 2
    assert cluster.run("logs", ended).out == "from before\n"
    assert {cluster.run("logs", job_id).out for job_id in running} == {"through\n"}
    # It is a cluster like any other now.
    assert cluster.json("up")["actions"] == []
    [fresh] = cluster.submit("--", "true")
    cluster.wait(fresh)
    assert cluster.job(fresh)["status"] == "succeeded"


def test_what_a_newer_jobctl_brought_up_is_refused(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({"workers": {"default": {"replicas": 1}}})
    newer = (
        "from jobctl.cluster import labels; labels.SCHEMA = '99'; "
        "from jobctl.cli.main import run; run()"
    )
    subprocess.run(
        [sys.executable, "-c", newer, "-f", str(cluster.file), "up"],
        cwd=cluster.folder,
        env=cluster.environment,
        capture_output=True,
        check=True,
        timeout=300,
    )
    ran = cluster.run("up", check=False)
    assert ran.code != 0
    assert "its schema is 99" in ran.err
    assert cluster.run("down", "--volumes", "--yes").code == 0


def statuses(cluster: LiveCluster, code: Path, *ids: str) -> set[str]:
    """Return how some jobs stand, as the earlier master has it."""
    text = earlier(cluster, code, "--output", "json", "jobs", "--all")
    return {row["status"] for row in json.loads(text)["data"]["jobs"] if row["id"] in ids}
