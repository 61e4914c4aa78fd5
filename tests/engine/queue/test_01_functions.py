"""Python functions on a real cluster: what a job of each kind does, and that none harms another."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.live import FLAGS, LiveCluster

CODE = """
import asyncio, ctypes, os, signal, time

def resize(path, width=1):
    print("resizing", path)
    return {"path": path, "width": width}

async def fetch(n):
    await asyncio.sleep(0.01)
    return n * 2

def steps(job):
    start = (job.checkpoint() or {"done": 0})["done"]
    for n in range(start, 4):
        job.progress(25 * (n + 1), step=f"part {n + 1}")
        job.checkpoint({"done": n + 1})
        job.log(f"part {n + 1} done")
        if n == 1 and job.attempt == 1:
            os._exit(9)
    (job.output / "parts").write_text("4")
    return "all"

def raises():
    raise ValueError("no such width")

def leaves():
    os._exit(3)

def crashes():
    ctypes.string_at(0)

def hog():
    block = []
    while True:
        block.append(bytearray(8 << 20))

def loops():
    while True:
        pass

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

def huge():
    return "x" * 100_000

def bystander():
    while not os.path.exists("/flags/harmed"):
        time.sleep(0.05)
    return os.getpid()
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A cluster whose workers have this module's code, and see a folder of this host."""
    pool = {"replicas": 2, "code": "./src", "mounts": [FLAGS]}
    cluster = LiveCluster(tmp_path_factory.mktemp("functions"), {"workers": {"default": pool}})
    source = cluster.folder / "src" / "mypkg"
    source.mkdir(parents=True)
    (source / "__init__.py").touch()
    (source / "tasks.py").write_text(CODE)
    try:
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def call(cluster: LiveCluster, function: str, *options: str) -> Any:
    """Run one function to its end; return the job."""
    [job_id] = cluster.submit(f"mypkg.tasks:{function}", *options)
    cluster.wait(job_id)
    return cluster.job(job_id)


def test_functions_return_results_report_and_fail_with_their_cause(functions: LiveCluster) -> None:
    cluster = functions
    [seen] = cluster.submit("mypkg.tasks:resize", "--arg", "path=a.png", "--arg", "width=64")
    cluster.wait(seen)
    assert cluster.job(seen)["result"] == {"path": "a.png", "width": 64}
    assert json.loads(cluster.run("result", seen).out) == {"path": "a.png", "width": 64}
    assert cluster.run("logs", seen).out == "resizing a.png\n"
    assert call(cluster, "fetch", "--arg", "n=21")["result"] == 42

    again = cluster.client.submit("mypkg.tasks:resize", path="b.png")
    assert cluster.client.result(again["id"], timeout=60) == {"path": "b.png", "width": 1}

    parts = call(cluster, "steps", "--max-attempts", "2", "--backoff", "0.1s")
    assert (parts["status"], parts["result"], parts["failures"]) == ("succeeded", "all", 1)
    assert parts["step"] == "part 4"
    assert cluster.run("logs", parts["id"]).out == "part 3 done\npart 4 done\n"
    assert cluster.artifact(parts["id"], "parts") == b"4"

    bad = call(cluster, "raises")
    assert (bad["status"], bad["cause"], bad["reason"]) == (
        "failed",
        "exit",
        "ValueError: no such width",
    )
    assert "tasks.py" in cluster.run("logs", bad["id"]).out
    assert call(cluster, "huge")["cause"] == "exit"
    assert call(cluster, "unknown")["status"] == "failed"


def test_no_function_harms_its_worker_or_another_job(functions: LiveCluster) -> None:
    """In the only slot that is left: a bystander is beside each victim, and outlasts it."""
    cluster = functions
    workers = {row["name"]: row["incarnation"] for row in cluster.client.workers()}
    bystanders = [cluster.submit("mypkg.tasks:bystander")[0] for _ in range(3)]
    eventually(lambda: {job["status"] for job in cluster.jobs(bystanders)} == {"running"})
    ends = {
        "leaves": call(cluster, "leaves"),
        "crashes": call(cluster, "crashes"),
        "hog": call(cluster, "hog"),
        "loops": call(cluster, "loops", "--timeout", "1s", "--grace", "1s"),
        "stubborn": call(cluster, "stubborn", "--timeout", "1s", "--grace", "1s"),
    }
    assert {name: (job["status"], job["cause"]) for name, job in ends.items()} == {
        "leaves": ("failed", "exit"),
        "crashes": ("failed", "signal"),
        "hog": ("failed", "oom"),
        "loops": ("failed", "timeout"),
        "stubborn": ("failed", "timeout"),
    }
    assert ends["leaves"]["exit_code"] == 3
    cluster.let_go("harmed")
    cluster.wait(*bystanders)
    ended = cluster.jobs(bystanders)
    assert [(job["status"], job["attempt"]) for job in ended] == [("succeeded", 1)] * 3
    assert {r["name"]: r["incarnation"] for r in cluster.client.workers()} == workers


def test_a_running_function_is_cancelled_and_the_next_one_runs(functions: LiveCluster) -> None:
    cluster = functions
    stuck = [cluster.submit("mypkg.tasks:stubborn", "--grace", "1s")[0] for _ in range(4)]
    [behind] = cluster.submit("mypkg.tasks:fetch", "--arg", "n=1")

    def all_run() -> bool:
        jobs = cluster.jobs(stuck)
        assert [job for job in jobs if job["finished_at"]] == []
        return {job["status"] for job in jobs} == {"running"}

    eventually(all_run)
    cluster.run("cancel", *stuck)
    cluster.wait(*stuck, behind)
    assert [job["status"] for job in cluster.jobs(stuck)] == ["cancelled"] * 4
    assert cluster.job(behind)["result"] == 2
