"""What Redis can do to a cluster: restart under load."""

from tests.support.eventually import eventually
from tests.support.live import LiveCluster


def more_than(cluster: LiveCluster, ids: list[str], before: int) -> int:
    """Wait until more jobs than before have succeeded; return how many."""

    def count() -> int:
        rows = cluster.client.statuses(ids).values()
        return len([row for row in rows if row and row["status"] == "succeeded"])

    eventually(lambda: count() > before)
    return count()


def test_a_restart_of_redis_costs_no_job(standing: LiveCluster) -> None:
    ids = standing.client.submit_many([{"argv": ["sleep", "0.4"]}] * 60)
    ended = 0
    for _ in range(2):
        ended = more_than(standing, ids, ended)
        standing.restart("redis-1")
    standing.wait(*ids)
    jobs = standing.jobs(ids)
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert {job["crashes"] for job in jobs} == {0}
