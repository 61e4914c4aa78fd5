"""Workers killed amid short jobs, again and again: nothing is lost, nothing accepted twice."""

from collections.abc import Callable

from jobctl.client import Client
from tests.engine.conftest import MakeCluster
from tests.support.eventually import eventually
from tests.support.live import LiveCluster

# Only proof of death brings jobs back before this test is over. Twenty deaths are no crash loop.
SETTINGS = {
    "controller": {"run": "container"},
    "lease": "10m",
    "heartbeat": "3s",
    "healing": {"max_backoff": "1s", "give_up_after": 1000},
}
JOBS = 120
"""Before each kill: about two seconds' work for three workers."""


def incarnation(client: Client, worker: str) -> str:
    """Return the process that has a worker's name, "" while nobody has."""
    return next((row["incarnation"] for row in client.workers() if row["name"] == worker), "")


def kill_amid_work(cluster: LiveCluster, client: Client, worker: str) -> None:
    """Kill a worker that holds jobs; return when its name has a new process."""
    former = incarnation(client, worker)
    eventually(lambda: any(w["jobs"] for w in client.workers() if w["name"] == worker))
    cluster.engine.kill(cluster.container(worker))
    eventually(lambda: incarnation(client, worker) not in (former, ""))


def test_no_kill_loses_a_job_or_has_one_accepted_twice(
    make_cluster: MakeCluster, size: Callable[[int, int], int]
) -> None:
    cluster = make_cluster(SETTINGS)
    cluster.run("up")
    client = cluster.client
    ids: list[str] = []
    for number in range(size(3, 20)):
        ids += client.submit_many([{"argv": ["sleep", "0.1"]}] * JOBS)
        kill_amid_work(cluster, client, f"worker-{1 + number % 3}")
    cluster.wait(*ids)
    jobs = cluster.jobs(ids)
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert [job["accepted"] for job in jobs] == [job["attempt"] for job in jobs]
    accepted = cluster.successes()
    assert {accepted[job_id] for job_id in ids} == {1}
    lost = [entry for job in jobs for entry in job["history"]]
    assert lost
    assert {entry["cause"] for entry in lost} == {"worker-lost"}
