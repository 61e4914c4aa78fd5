"""A command ends a worker that does not answer: its jobs run again, and that costs them nothing.

Not one of every run: to give up on who does not answer takes its time. `script/accept control`
runs it.
"""

from collections.abc import Iterator

import pytest

from tests.engine.control.test_02_faults import LOST, begun
from tests.engine.control.test_03_watchdog import stop
from tests.support.eventually import eventually
from tests.support.live import LiveCluster

SETTINGS = {
    "lease": "10m",
    "heartbeat": "3s",
    "watchdog": {"enabled": False},
    "workers": {"default": {"replicas": 2, "concurrency": 1}},
}


@pytest.fixture(params=["container", "off"])
def stubborn(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveCluster]:
    """A cluster with a controller that sees the end of its workers, and one without."""
    settings = {**SETTINGS, "controller": {"run": str(request.param)}}
    cluster = LiveCluster(tmp_path_factory.mktemp("stubborn"), settings)
    try:
        cluster.run("up")
        yield cluster
    finally:
        cluster.close()


def costs_nothing(cluster: LiveCluster, job_id: str) -> bool:
    cluster.wait(job_id)
    job = cluster.job(job_id)
    [lost] = job["history"]
    return (job["status"], job["crashes"], lost["cause"]) == ("succeeded", 0, "scale-down")


def test_scale_and_down_cut_short_who_does_not_answer(stubborn: LiveCluster) -> None:
    ids = stubborn.submit("--array", "2", "--", *LOST)
    where = begun(stubborn, *ids)
    [first], [second] = where["worker-1"], where["worker-2"]
    stop(stubborn, "worker-2")
    stubborn.run("scale", "1", "--grace", "1s")
    if stubborn.settings["controller"]["run"] == "off":
        # Nobody saw the end: the next worker of that name proves it.
        stubborn.run("scale", "2")
    stop(stubborn, "worker-1")
    stubborn.run("down", "--grace", "1s")
    stubborn.run("up")
    eventually(lambda: len(stubborn.client.workers()) > 0)
    assert costs_nothing(stubborn, first)
    assert costs_nothing(stubborn, second)
