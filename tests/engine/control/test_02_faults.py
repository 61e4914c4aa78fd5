"""Faults on the real engine while controllers watch, and while they are dead themselves."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.live import FLAGS, UNTIL_LET_GO, LiveCluster

SETTINGS = {
    "controller": {"run": "container", "replicas": 2, "interval": "2s", "patience": "2s"},
    "lease": "5s",
    "heartbeat": "1s",
    "watchdog": {"enabled": False},
    "workers": {"default": {"replicas": 2, "concurrency": 2, "code": "./src", "mounts": [FLAGS]}},
}
CODE = "def hog():\n    return len(b'x' * (1 << 30))\n"
WORK = f"echo attempt $JOBCTL_ATTEMPT > result; echo attempt $JOBCTL_ATTEMPT; {UNTIL_LET_GO}"
# Whose first attempt is lost ends at once in the second, and until then it surely runs.
LOST = ("sh", "-c", "[ $JOBCTL_ATTEMPT -gt 1 ] || sleep 600")
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


def begun(cluster: LiveCluster, *ids: str) -> dict[str, list[str]]:
    """Wait until all these jobs run; return them by worker."""

    def found() -> dict[str, list[str]]:
        running = cluster.client.jobs(status="running")["jobs"]
        where: dict[str, list[str]] = {}
        for row in running:
            if row["id"] in ids:
                where.setdefault(row["worker"], []).append(row["id"])
        return where if sum(map(len, where.values())) == len(ids) else {}

    return eventually(found)


def lost_once(cluster: LiveCluster, job_id: str) -> Any:
    """Return why the first attempt of a job was lost, which then succeeded."""
    job = cluster.job(job_id)
    assert (job["status"], job["crashes"]) == ("succeeded", 1), job
    [lost] = job["history"]
    return lost


def untouched(cluster: LiveCluster, ids: list[str]) -> bool:
    """Tell whether jobs still run as they did, and end them."""
    jobs = [cluster.job(job_id) for job_id in ids]
    cluster.run("cancel", *ids)
    return {(job["status"], job["attempt"], job["crashes"]) for job in jobs} == {("running", 1, 0)}


def accepted_once(cluster: LiveCluster, *ids: str) -> bool:
    found = cluster.successes()
    return all(found[job_id] == 1 for job_id in ids)


def run_out_of_memory(cluster: LiveCluster, worker: str) -> None:
    cluster.engine.execute(cluster.container(worker), ("python3", "-c", SWELL))


def test_a_worker_paused_past_patience_changes_nothing_when_it_goes_on(pair: LiveCluster) -> None:
    [job_id] = pair.submit("--", "sh", "-c", WORK)
    [first] = begun(pair, job_id)
    eventually(lambda: pair.client.logs(job_id) == b"attempt 1\n")
    pair.pause(first)
    eventually(lambda: pair.client.job(job_id)["attempt"] == 2)
    # Both of them come to their ends, the first one late.
    pair.let_go(job_id)
    pair.engine.unpause(pair.container(first))
    pair.wait(job_id)
    job = pair.job(job_id)
    assert (job["status"], job["accepted"], job["attempt"]) == ("succeeded", 2, 2)
    [lost] = job["history"]
    assert (lost["attempt"], lost["worker"], lost["cause"]) == (1, first, "worker-lost")
    assert "lease" in lost["reason"]
    # The late worker found out, wrote nothing, and goes on.
    eventually(lambda: {w["status"] for w in pair.client.workers()} == {"idle"})
    assert (job["crashes"], job["failures"]) == (1, 0)
    assert pair.artifact(job_id, "result") == b"attempt 2\n"
    assert pair.run("logs", job_id).out == "attempt 2\n"
    assert pair.run("logs", job_id, "--attempt", "1").out == "attempt 1\n"
    assert accepted_once(pair, job_id)


def test_whatever_runs_out_of_memory_is_told_from_all_that_does_not(pair: LiveCluster) -> None:
    ids = pair.submit("--array", "3", "--", *LOST)
    (victim, lost), (_, bystanders) = begun(pair, *ids).items()
    [function] = pair.submit("hogs:hog")
    [command] = pair.submit("--", "python3", "-c", "b'x' * (1 << 30)")
    pair.wait(function, command)
    for job_id in (function, command):
        job = pair.job(job_id)
        assert (job["status"], job["cause"], job["crashes"]) == ("failed", "oom", 0), job
    run_out_of_memory(pair, victim)
    pair.wait(*lost)
    for job_id in lost:
        assert [lost_once(pair, job_id)[key] for key in ("worker", "cause")] == [victim, "oom"]
    assert untouched(pair, bystanders)
    eventually(lambda: runs(pair, "worker-1", "worker-2"))


def test_the_second_controller_takes_over_and_brings_the_first_back(pair: LiveCluster) -> None:
    [job_id] = pair.submit("--", *LOST)
    [victim] = begun(pair, job_id)
    pair.engine.remove(pair.container("controller-1"), force=True)
    pair.engine.kill(pair.container(victim))
    pair.wait(job_id)
    assert "SIGKILL" in lost_once(pair, job_id)["reason"]
    eventually(lambda: runs(pair, victim, "controller-1", "controller-2"))
    assert pair.json("up")["changes"] == 0


def killed(cluster: LiveCluster, worker: str) -> None:
    cluster.engine.kill(cluster.container(worker))


FAULTS = (killed, run_out_of_memory, LiveCluster.pause)


def test_controllers_that_die_during_a_fault_find_it_when_they_are_back(
    pair: LiveCluster, size: Callable[[int, int], int]
) -> None:
    for fault in FAULTS[: size(1, len(FAULTS))]:
        ids = pair.submit("--array", "3", "--", *LOST)
        # The other one has a slot free: of a paused victim nobody else would take the jobs.
        where = sorted(begun(pair, *ids).items(), key=lambda each: len(each[1]))
        (_, bystanders), (victim, lost) = where
        for controller in ("controller-1", "controller-2"):
            pair.crash(controller)
        fault(pair, victim)
        pair.wait(*lost)
        for job_id in lost:
            found = lost_once(pair, job_id)
            assert found["worker"] == victim
            # How much the engine remembers depends on what else happens on it.
            assert found["cause"] in ("worker-lost", "oom")
        if fault is LiveCluster.pause:
            pair.engine.unpause(pair.container(victim))
        assert untouched(pair, bystanders)
        eventually(lambda: runs(pair, "worker-1", "worker-2", "controller-1", "controller-2"))
        eventually(lambda: {w["status"] for w in pair.client.workers()} == {"idle"})
        assert accepted_once(pair, *lost)
