"""A worker paused past its lease: another one takes over, and the late writes are refused."""

from tests.engine.conftest import MakeCluster
from tests.support.eventually import eventually

WORK = "echo attempt $JOBCTL_ATTEMPT > result; echo attempt $JOBCTL_ATTEMPT; sleep 4"


def test_late_writes_of_a_paused_worker_are_refused(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(
        {
            # Nobody asks for patience with it: its lease decides.
            "controller": {"run": "off"},
            "lease": "3s",
            "heartbeat": "1s",
            "workers": {"default": {"replicas": 2, "concurrency": 1}},
        }
    )
    cluster.run("up")
    [job_id] = cluster.submit("--", "sh", "-c", WORK)
    eventually(lambda: cluster.job(job_id)["status"] == "running")
    first = cluster.job(job_id)["worker"]
    cluster.engine.pause(cluster.container(first))
    eventually(lambda: cluster.job(job_id)["attempt"] == 2)
    cluster.engine.unpause(cluster.container(first))
    cluster.wait(job_id)

    job = cluster.job(job_id)
    assert job["status"] == "succeeded"
    assert job["accepted"] == job["attempt"] == 2
    assert job["worker"] != first
    [lost] = job["history"]
    assert (lost["attempt"], lost["worker"], lost["cause"]) == (1, first, "worker-lost")
    assert (job["crashes"], job["failures"]) == (1, 0)
    assert cluster.artifact(job_id, "result") == b"attempt 2\n"
    assert cluster.run("logs", job_id).out == "attempt 2\n"
    # The first worker noticed, gave the job up and goes on working.
    eventually(lambda: {w["status"] for w in cluster.client.workers()} == {"idle"})
    assert cluster.run("logs", job_id, "--attempt", "1").out == "attempt 1\n"
    assert cluster.artifact(job_id, "result") == b"attempt 2\n"
