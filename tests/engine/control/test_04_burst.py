"""The autoscaler on a real cluster: a burst, an operator's rulings, what the engine measures."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import httpx
import pytest

from bench.autoscale.burst import Recorder
from tests.support.eventually import eventually
from tests.support.live import FLAGS, REPOSITORY, UNTIL_LET_GO, LiveCluster

RECORDED = REPOSITORY / ".state" / "burst.json"
"""Where the full form leaves what it saw, to be drawn."""


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One cluster for all of them: each ends with the least of workers and no order."""
    cluster = LiveCluster(tmp_path_factory.mktemp("scaled"), settings(least=1, most=3))
    try:
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def settings(least: int, most: int, wait: str = "2s", cooldown: str = "2s") -> dict[str, Any]:
    rule = {
        "min": least,
        "max": most,
        "target_wait": wait,
        "up_cooldown": "1s",
        "down_cooldown": cooldown,
    }
    return {
        # Whatever else runs on the machine of the test is no reason to refuse.
        "controller": {"run": "container", "interval": "2s", "cpu_overcommit": 1000},
        "workers": {
            "default": {"replicas": least, "cpus": 0.5, "autoscale": rule, "mounts": [FLAGS]},
        },
    }


def said(cluster: LiveCluster, event: str) -> list[dict[str, Any]]:
    """Return what the controller said of one kind."""
    output = b"".join(cluster.engine.logs(cluster.container("controller-1")))
    lines = [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]
    return [line for line in lines if line["event"] == event]


def directions(cluster: LiveCluster) -> list[bool]:
    """Return in which directions it scaled, one after the other: True is up."""
    decided = [line["replicas"] - line["before"] for line in said(cluster, "autoscale")]
    return [up for up, _ in groupby(step > 0 for step in decided if step)]


def workers(cluster: LiveCluster) -> int:
    return len([w for w in cluster.client.workers() if w["status"] in ("idle", "busy")])


def containers(cluster: LiveCluster) -> int:
    return len(
        cluster.engine.containers({"jobctl.project": cluster.project, "jobctl.pool": "default"})
    )


def jobs_of(cluster: LiveCluster, array: str) -> Iterator[Any]:
    cursor = None
    while True:
        page = cluster.client.jobs(array=array, limit=500, cursor=cursor)
        yield from page["jobs"]
        cursor = page["cursor"]
        if cursor is None:
            return


def test_a_burst_scales_up_and_down_again_and_cuts_no_job(
    scaled: LiveCluster, size: Callable[[int, int], int]
) -> None:
    least, most, count = size(1, 3), size(3, 8), size(200, 5000)
    if least > 1:
        scaled.write(settings(least, most, wait="10s", cooldown="15s"))
        scaled.run("up")
        eventually(lambda: workers(scaled) == least)
    title = f"measured: {count:,} jobs of 0.1 s at once, {least} to {most} workers of 0.5 CPU"
    with Recorder(scaled.client, title) as recorder:
        [first, *_] = scaled.submit("--array", str(count), "--", "sleep", "0.1")
        eventually(lambda: recorder.saw(lambda now: now.workers == most), within=180)
        eventually(lambda: recorder.now and recorder.now.queued == 0, within=600)
        eventually(lambda: containers(scaled) == least, within=120)
        eventually(lambda: workers(scaled) == least)
    if count > 1000:
        recorder.recording.save(RECORDED)
    array = scaled.job(first)["array"]
    jobs = list(jobs_of(scaled, array))
    assert len(jobs) == count
    assert {(job["status"], job["attempt"]) for job in jobs} == {("succeeded", 1)}
    # Up, and then down: it never changed its mind.
    assert directions(scaled) == [True, False]


def test_what_the_engine_measures_of_a_worker_is_among_the_metrics(scaled: LiveCluster) -> None:
    def measured() -> list[tuple[str, float]]:
        headers = {"Authorization": f"Bearer {scaled.token}"}
        text = httpx.get(f"{scaled.url}/metrics", headers=headers).text
        line = r'^jobctl_worker_(cpu_seconds_total|memory_bytes)\{worker="worker-1"\} (\S+)$'
        return [(name, float(value)) for name, value in re.findall(line, text, re.MULTILINE)]

    found = dict(eventually(measured))
    assert found["cpu_seconds_total"] > 0
    assert found["memory_bytes"] > 1 << 20


def test_an_operator_rules_and_no_job_is_cut(
    scaled: LiveCluster, size: Callable[[int, int], int]
) -> None:
    least = size(1, 3)
    refused = scaled.run("scale", "9", check=False)
    assert refused.code == 1
    assert "autoscale pause worker" in refused.err
    scaled.run("autoscale", "set", "worker", "--min", str(least + 1))
    eventually(lambda: workers(scaled) == least + 1)
    # Every slot is taken, for as long as it takes: whoever goes has jobs.
    ids = scaled.submit("--array", str(2 * (least + 1)), "--", "sh", "-c", UNTIL_LET_GO)
    eventually(lambda: len(scaled.client.jobs(status="running")["jobs"]) == len(ids))
    scaled.run("autoscale", "set", "worker", "--min", str(least), "--max", str(least))
    eventually(lambda: "draining" in {w["status"] for w in scaled.client.workers()})
    scaled.let_go(*ids)
    eventually(lambda: workers(scaled) == least)
    scaled.run("autoscale", "pause", "worker")
    eventually(lambda: containers(scaled) == least)
    jobs = [scaled.client.job(job_id) for job_id in ids]
    assert {(job["status"], job["attempt"]) for job in jobs} == {("succeeded", 1)}
    scaled.run("autoscale", "set", "worker", "--reset")

    def status() -> Any:
        [pool] = scaled.json("autoscale", "status")["pools"]
        return pool

    eventually(lambda: status()["reason"].startswith("paused; otherwise"))
    pool = status()
    assert (pool["paused"], pool["min"], pool["wanted"]) == (True, least, least)
