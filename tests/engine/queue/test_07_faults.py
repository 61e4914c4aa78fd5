"""What Redis can do to a cluster: restart under load."""

from tests.engine.conftest import MakeCluster
from tests.support.eventually import eventually


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
