"""Any part is killed while jobs run; `up` brings it back: nothing is lost or accepted twice."""

import threading
from collections.abc import Callable, Iterator

import pytest

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


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveCluster, str]]:
    """One cluster for all of them, and a job that ended before anything was killed."""
    cluster = LiveCluster(tmp_path_factory.mktemp("loaded"), QUICK_LEASES)
    try:
        cluster.run("up")
        [early] = cluster.submit("--", "sh", "-c", "echo finished early")
        cluster.wait(early)
        yield cluster, early
    finally:
        cluster.close()


@pytest.mark.parametrize("part", ["worker-1", "master-1", "redis-1"])
def test_killed_amid_jobs(
    loaded: tuple[LiveCluster, str], size: Callable[[int, int], int], part: str
) -> None:
    cluster, early = loaded
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


def test_all_of_it_is_there_after_down_and_up(loaded: tuple[LiveCluster, str]) -> None:
    cluster, early = loaded
    ids = cluster.submit("--array", "0-9", "--", "sh", "-c", "echo {} > n")
    cluster.wait(*ids)
    before = {row["id"]: row for row in cluster.json("jobs", "--all")["jobs"]}
    assert {*ids, early} <= before.keys()
    cluster.run("down")
    cluster.run("up")
    assert {row["id"]: row for row in cluster.json("jobs", "--all")["jobs"]} == before
    assert cluster.run("logs", early).out == "finished early\n"
    assert cluster.artifact(ids[5], "n") == b"5\n"
