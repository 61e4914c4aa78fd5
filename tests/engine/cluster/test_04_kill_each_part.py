"""Any part is killed while jobs run; `up` brings it back: nothing is lost or accepted twice."""

import threading
from collections.abc import Callable

import pytest

from tests.engine.conftest import MakeCluster
from tests.support.eventually import eventually
from tests.support.live import LiveCluster

QUICK_LEASES = {"lease": "4s", "heartbeat": "1s"}


class Submitter(threading.Thread):
    """Submits jobs one by one until told to stop, and keeps what was acknowledged."""

    def __init__(self, cluster: LiveCluster, count: int) -> None:
        super().__init__()
        self.client = cluster.client
        self.count = count
        self.acknowledged: list[str] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for number in range(self.count):
                job = self.client.submit(
                    {"argv": ["sh", "-c", f"echo {number} > n; sleep 0.1"], "name": f"n{number}"}
                )
                self.acknowledged.append(job["id"])
        except BaseException as error:
            self.failure = error
            raise


@pytest.mark.parametrize("part", ["worker-1", "master-1", "redis-1"])
def test_killed_amid_jobs(
    make_cluster: MakeCluster, size: Callable[[int, int], int], part: str
) -> None:
    cluster = make_cluster(QUICK_LEASES)
    cluster.run("up")
    early = cluster.submit("--", "sh", "-c", "echo finished early")[0]
    cluster.wait(early)

    total = size(90, 500)
    submitter = Submitter(cluster, total)
    submitter.start()
    eventually(lambda: len(submitter.acknowledged) >= total // 3)
    cluster.engine.kill(cluster.container(part))
    cluster.run("up")
    submitter.join(timeout=300)
    assert submitter.failure is None
    ids = submitter.acknowledged
    assert len(ids) == total

    ended = {job["id"]: job for job in cluster.client.wait(ids, timeout=300)}
    assert set(ended) == set(ids)
    assert {job["status"] for job in ended.values()} == {"succeeded"}
    times = cluster.successes()
    assert [job_id for job_id in ids if times[job_id] != 1] == []
    assert cluster.run("logs", early).out == "finished early\n"

    cluster.run("down")
    cluster.run("up")
    assert cluster.run("logs", early).out == "finished early\n"
    listed = cluster.json("jobs", "--all")["jobs"]
    assert {*ids, early} <= {job["id"] for job in listed}
    sample = ids[len(ids) // 2]
    assert cluster.artifact(sample, "n") == f"{len(ids) // 2}\n".encode()
