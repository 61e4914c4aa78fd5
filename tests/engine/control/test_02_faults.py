"""Faults on the real engine while controllers watch, and while they are dead themselves."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.eventually import eventually
from tests.support.live import LiveCluster

SETTINGS = {
    "controller": {"run": "container", "replicas": 2, "interval": "2s", "patience": "2s"},
    "lease": "3s",
    "heartbeat": "1s",
    "watchdog": {"enabled": False},
    "workers": {"default": {"replicas": 2, "concurrency": 2, "code": "./src"}},
}
CODE = "def hog():\n    return len(b'x' * (1 << 30))\n"
WORK = "echo attempt $JOBCTL_ATTEMPT > result; sleep 4"
# The kernel takes the process with the highest score: let that be the main one.
SWELL = """
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    with open(f"/proc/{pid}/stat") as file:
        parent = file.read().rpartition(")")[2].split()[1]
    with open(f"/proc/{pid}/cmdline") as file:
        is_worker = "jobctl.worker" in file.read().split("\\0")
    if parent == "1" and is_worker:
        with open(f"/proc/{pid}/oom_score_adj", "w") as file:
            file.write("1000")
b"x" * (1 << 30)
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """One cluster with two controllers for all of them: each ends with all parts back."""
    cluster = LiveCluster(tmp_path_factory.mktemp("pair"), SETTINGS)
    try:
        (cluster.folder / "src").mkdir()
        (cluster.folder / "src" / "hogs.py").write_text(CODE)
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def runs(cluster: LiveCluster, *instances: str) -> bool:
    details = [cluster.engine.inspect(cluster.container(name)) for name in instances]
    return all(detail is not None and detail.state == "running" for detail in details)


def begun(cluster: LiveCluster, job_id: str) -> str:
    """Wait for a job's first attempt and return the worker's name."""
    eventually(lambda: cluster.job(job_id)["status"] == "running")
    return str(cluster.job(job_id)["worker"])


def accepted_once(cluster: LiveCluster, *ids: str) -> bool:
    found = cluster.successes()
    return all(found[job_id] == 1 for job_id in ids)


def run_out_of_memory(cluster: LiveCluster, worker: str) -> None:
    cluster.engine.execute(cluster.container(worker), ("python3", "-c", SWELL))


def test_a_worker_paused_past_patience_changes_nothing_when_it_goes_on(pair: LiveCluster) -> None:
    [job_id] = pair.submit("--", "sh", "-c", WORK)
    first = begun(pair, job_id)
    pair.engine.pause(pair.container(first))
    eventually(lambda: pair.job(job_id)["attempt"] == 2)
    pair.engine.unpause(pair.container(first))
    pair.wait(job_id)
    job = pair.job(job_id)
    assert (job["status"], job["accepted"], job["attempt"]) == ("succeeded", 2, 2)
    [lost] = job["history"]
    assert (lost["attempt"], lost["worker"], lost["cause"]) == (1, first, "worker-lost")
    assert "lease" in lost["reason"]
    # The late worker found out, wrote nothing, and goes on.
    eventually(lambda: {w["status"] for w in pair.client.workers()} == {"idle"})
    assert pair.artifact(job_id, "result") == b"attempt 2\n"
    assert accepted_once(pair, job_id)


def test_whatever_runs_out_of_memory_is_told_from_all_that_does_not(pair: LiveCluster) -> None:
    bystanders = pair.submit("--array", "2", "--", "sh", "-c", "sleep 4")
    workers = {begun(pair, job_id): job_id for job_id in bystanders}
    [function] = pair.submit("hogs:hog")
    [command] = pair.submit("--", "python3", "-c", "b'x' * (1 << 30)")
    pair.wait(function, command)
    for job_id in (function, command):
        job = pair.job(job_id)
        assert (job["status"], job["cause"], job["crashes"]) == ("failed", "oom", 0), job
    victim, lost = workers.popitem()
    run_out_of_memory(pair, victim)
    pair.wait(*bystanders)
    job = pair.job(lost)
    assert (job["status"], job["crashes"]) == ("succeeded", 1)
    assert [(each["worker"], each["cause"]) for each in job["history"]] == [(victim, "oom")]
    for job_id in workers.values():
        assert (pair.job(job_id)["attempt"], pair.job(job_id)["crashes"]) == (1, 0)
    eventually(lambda: runs(pair, "worker-1", "worker-2"))


def test_the_second_controller_takes_over_and_brings_the_first_back(pair: LiveCluster) -> None:
    [job_id] = pair.submit("--", "sleep", "3")
    victim = begun(pair, job_id)
    pair.engine.remove(pair.container("controller-1"), force=True)
    pair.engine.kill(pair.container(victim))
    pair.wait(job_id)
    [lost] = pair.job(job_id)["history"]
    assert "SIGKILL" in lost["reason"]
    eventually(lambda: runs(pair, victim, "controller-1", "controller-2"))
    assert pair.run("up").out.endswith("(nothing to change)\n")


def killed(cluster: LiveCluster, worker: str) -> None:
    cluster.engine.kill(cluster.container(worker))


def paused(cluster: LiveCluster, worker: str) -> None:
    cluster.engine.pause(cluster.container(worker))


FAULTS: dict[str, tuple[Callable[[LiveCluster, str], None], str]] = {
    "killed": (killed, "SIGKILL"),
    "out of memory": (run_out_of_memory, "memory"),
    "paused": (paused, "lease"),
}


def test_controllers_that_die_during_a_fault_find_it_when_they_are_back(
    pair: LiveCluster, size: Callable[[int, int], int]
) -> None:
    for fault, reason in list(FAULTS.values())[: size(2, len(FAULTS))]:
        ids = pair.submit("--array", "2", "--", "sleep", "3")
        victim = begun(pair, ids[0])
        others = [job_id for job_id in ids if begun(pair, job_id) != victim]
        for controller in ("controller-1", "controller-2"):
            pair.crash(controller)
        fault(pair, victim)
        pair.wait(ids[0])
        job = pair.job(ids[0])
        assert job["status"] == "succeeded"
        [lost] = job["history"]
        assert lost["worker"] == victim
        assert reason in lost["reason"]
        if fault is paused:
            pair.engine.unpause(pair.container(victim))
        pair.wait(*others)
        assert [pair.job(job_id)["crashes"] for job_id in others] == [0] * len(others)
        eventually(lambda: runs(pair, "worker-1", "worker-2", "controller-1", "controller-2"))
        eventually(lambda: {w["status"] for w in pair.client.workers()} == {"idle"})
        assert accepted_once(pair, *ids)
