"""Python functions on a real cluster: what a job of each kind does, and that none harms another."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import MakeCluster
from tests.support.live import LiveCluster

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

def bystander(seconds):
    time.sleep(seconds)
    return os.getpid()
"""


@pytest.fixture
def functions(make_cluster: MakeCluster, tmp_path: Path) -> LiveCluster:
    """A cluster whose workers have this module's code."""
    cluster = make_cluster({"workers": {"default": {"replicas": 2, "code": "./src"}}})
    source = cluster.folder / "src" / "mypkg"
    source.mkdir(parents=True)
    (source / "__init__.py").touch()
    (source / "tasks.py").write_text(CODE)
    cluster.run("up")
    return cluster


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

    with cluster.client as client:
        job = client.submit("mypkg.tasks:resize", path="b.png")
        assert client.result(job["id"], timeout=60) == {"path": "b.png", "width": 1}

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
    """Both slots of both workers are busy: each victim has a bystander beside it."""
    cluster = functions
    workers = {row["name"]: row["incarnation"] for row in cluster.client.workers()}
    bystanders = [
        cluster.submit("mypkg.tasks:bystander", "--arg", "seconds=12")[0] for _ in range(2)
    ]
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
    cluster.wait(*bystanders)
    for job_id in bystanders:
        job = cluster.job(job_id)
        assert (job["status"], job["attempt"]) == ("succeeded", 1)
    assert {r["name"]: r["incarnation"] for r in cluster.client.workers()} == workers


def test_a_running_function_is_cancelled_and_the_next_one_runs(functions: LiveCluster) -> None:
    cluster = functions
    stuck = [cluster.submit("mypkg.tasks:stubborn", "--grace", "1s")[0] for _ in range(4)]
    [behind] = cluster.submit("mypkg.tasks:fetch", "--arg", "n=1")
    cluster.run("cancel", *stuck)
    cluster.wait(*stuck, behind)
    assert [cluster.job(job_id)["status"] for job_id in stuck] == ["cancelled"] * 4
    assert cluster.job(behind)["result"] == 2
