"""Functions that start more than a worker has room for: it lives, and says whose fault it was."""

from collections.abc import Iterator

import pytest

from tests.support.eventually import eventually
from tests.support.live import FLAGS, LiveCluster

CODE = """
import os, signal, subprocess, sys, time

def bomb(kind):
    if kind == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        try:
            if os.fork() == 0 and kind != "simple":
                os.setsid()
        except BaseException:
            if kind == "simple":
                raise

def bystander(flag):
    while not os.path.exists("/flags/" + flag):
        time.sleep(0.05)
    return "unharmed"

def starts_a_hog(heed):
    hog = [sys.executable, "-c", "x = bytearray(1 << 30)"]
    return subprocess.run(hog, check=heed).returncode

def processes():
    mine = 0
    for name in os.listdir("/proc"):
        try:
            mine += name.isdigit() and os.stat("/proc/" + name).st_uid == os.getuid()
        except OSError:
            pass
    return mine
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One worker with two slots, and memory for as many processes as it may have."""
    room = {"pids": 96, "memory": "512MB"}
    pool = {"replicas": 1, **room, "code": "./src", "mounts": [FLAGS]}
    cluster = LiveCluster(tmp_path_factory.mktemp("limits"), {"workers": {"default": pool}})
    try:
        (cluster.folder / "src").mkdir()
        (cluster.folder / "src" / "limits.py").write_text(CODE)
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def call(cluster: LiveCluster, function: str, *options: str) -> str:
    """Submit one function; return the job's id."""
    [job_id] = cluster.submit(f"limits:{function}", *options)
    return job_id


def bystander(cluster: LiveCluster, flag: str) -> str:
    """Submit one that waits for a flag, and wait until it runs; return its id."""
    job_id = call(cluster, "bystander", "--arg", f"flag={flag}")
    eventually(lambda: cluster.job(job_id)["status"] == "running")
    return job_id


def assert_unharmed(cluster: LiveCluster, flag: str, job_id: str) -> None:
    """Give the flag: who waits for it does as if nothing had happened."""
    cluster.let_go(flag)
    cluster.wait(job_id)
    job = cluster.job(job_id)
    assert (job["status"], job["attempt"], job["result"]) == ("succeeded", 1, "unharmed"), job


def incarnations(cluster: LiveCluster) -> list[str]:
    return [row["incarnation"] for row in cluster.client.workers()]


@pytest.mark.parametrize("kind", ["simple", "scattered", "deaf"])
def test_a_fork_bomb_in_a_function_harms_neither_its_worker_nor_its_neighbour(
    functions: LiveCluster, kind: str
) -> None:
    cluster = functions
    workers = incarnations(cluster)
    beside = bystander(cluster, kind)
    bomb = call(cluster, "bomb", "--arg", f"kind={kind}", "--timeout", "2s", "--grace", "1s")
    cluster.wait(bomb)
    assert cluster.job(bomb)["status"] == "failed"
    assert_unharmed(cluster, kind, beside)
    # In either slot, of the bomb nothing is left but the executor that says so.
    counts = [call(cluster, "processes") for _ in range(4)]
    cluster.wait(*counts)
    assert [job["result"] for job in cluster.jobs(counts)] == [1] * 4
    assert incarnations(cluster) == workers


def test_a_process_that_a_function_started_and_memory_ended(functions: LiveCluster) -> None:
    cluster = functions
    alone = call(cluster, "starts_a_hog", "--arg", "heed=true")
    cluster.wait(alone)
    job = cluster.job(alone)
    assert (job["status"], job["cause"]) == ("failed", "oom")
    assert "died with <Signals.SIGKILL: 9>" in job["reason"]
    # What it does not mind is no failure.
    careless = call(cluster, "starts_a_hog", "--arg", "heed=false")
    cluster.wait(careless)
    assert cluster.job(careless)["result"] == -9
    # Nor is another job's child anybody else's fault.
    beside = bystander(cluster, "hog")
    guilty = call(cluster, "starts_a_hog", "--arg", "heed=true")
    cluster.wait(guilty)
    assert cluster.job(guilty)["cause"] == "oom"
    assert_unharmed(cluster, "hog", beside)
