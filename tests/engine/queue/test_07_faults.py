"""What Redis can do to a cluster: restart, lose the end of its file, run full."""

from tests.engine.conftest import MakeCluster
from tests.support.eventually import eventually
from tests.support.live import LiveCluster


def submit_until(cluster: LiveCluster, count: int) -> list[str]:
    """Submit jobs one by one through whatever happens; every id was acknowledged."""
    with cluster.client as client:
        return [client.submit(argv=["true"])["id"] for _ in range(count)]


def test_jobs_survive_a_redis_whose_file_lost_its_end(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({"workers": {"default": {"replicas": 1}}})
    cluster.run("up")
    cluster.run("queue", "pause", "default")
    ids = submit_until(cluster, 20)
    redis = cluster.container("redis-1")
    cluster.engine.kill(redis)
    # What a power loss leaves: a command that was being written, and never acknowledged.
    cluster.append_to_redis_file(b"*3\r\n$3\r\nSET\r\n$7\r\nhalf-wr")
    said = cluster.run("up")
    assert "truncated" in (said.out + said.err).lower() or "cut off" in (said.out + said.err)
    cluster.run("queue", "resume", "default")
    cluster.wait(*ids)
    assert {cluster.job(job_id)["status"] for job_id in ids} == {"succeeded"}


def test_a_restart_of_redis_costs_no_job(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.run("up")
    ids = cluster.submit("--array", "60", "--", "sleep", "0.2")
    for _ in range(2):
        eventually(lambda: cluster.client.jobs(status="succeeded")["jobs"])
        cluster.restart("redis-1")
    cluster.wait(*ids)
    jobs = [cluster.job(job_id) for job_id in ids]
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert {job["crashes"] for job in jobs} == {0}
