"""When and in what order jobs run: priority, delay, queues and their states, schedules."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support.eventually import eventually
from tests.support.live import LiveCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCluster]:
    """A pool for each of two queues; what is due by the clock goes into the second one."""
    live = LiveCluster(
        tmp_path_factory.mktemp("order"),
        {
            "workers": {
                "default": {"replicas": 1, "concurrency": 1},
                "night": {"replicas": 1, "concurrency": 1, "queues": ["night"]},
            },
            "schedules": {
                "minutely": {
                    "cron": "* * * * *",
                    "timezone": "Europe/Berlin",
                    "job": {"argv": ["echo", "tick"], "name": "tick", "queue": "night"},
                }
            },
        },
    )
    try:
        live.run("up")
        yield live
    finally:
        live.close()


def started(cluster: LiveCluster, *ids: str) -> list[str]:
    """The ids in the order in which their jobs began."""
    return sorted(ids, key=lambda job_id: cluster.job(job_id)["started_at"])


def test_priorities_delays_queues_and_pauses(cluster: LiveCluster) -> None:
    cluster.run("queue", "pause", "default")
    low, middle, high = (
        cluster.submit("--priority", str(p), "--", "sleep", "0.2")[0] for p in (-5, 0, 5)
    )
    [late] = cluster.submit("--delay", "10s", "--", "true")
    [night] = cluster.submit("--queue", "night", "--", "true")
    cluster.wait(night)
    assert cluster.job(night)["worker"] == "worker-night-1"
    assert cluster.job(high)["status"] == "queued"
    assert "paused" in cluster.run("explain", high).out
    assert cluster.job(late)["status"] == "scheduled"
    [row] = [row for row in cluster.json("queue", "ls")["queues"] if row["name"] == "default"]
    assert (row["state"], row["queued"]) == ("paused", 3)

    cluster.run("queue", "resume", "default")
    cluster.wait(low, middle, high, late)
    assert started(cluster, low, middle, high) == [high, middle, low]
    job = cluster.job(late)
    waited = datetime.fromisoformat(job["started_at"]) - datetime.fromisoformat(job["submitted_at"])
    assert waited.total_seconds() >= 10

    cluster.run("queue", "drain", "default")
    refused = cluster.run("submit", "--", "true", check=False)
    assert refused.code != 0
    assert "draining" in refused.err
    cluster.run("queue", "resume", "default")
    [job_id] = cluster.submit("--", "true")
    cluster.wait(job_id)

    [orphan] = cluster.submit("--queue", "nobody", "--", "true")
    assert "no worker" in cluster.run("explain", orphan).out.lower()
    cluster.run("cancel", orphan)
    assert cluster.job(orphan)["status"] == "cancelled"


def ticks(cluster: LiveCluster) -> list[datetime]:
    """When the schedule fired."""
    jobs = cluster.json("jobs", "--name", "tick")["jobs"]
    return [datetime.fromisoformat(job["submitted_at"]) for job in jobs]


def test_a_schedule_fires_once_a_tick_while_masters_come_and_go(cluster: LiveCluster) -> None:
    before = datetime.now(UTC)
    cluster.restart("master-1")
    eventually(lambda: cluster.run("jobs", check=False).code == 0)  # it is back
    eventually(lambda: [at for at in ticks(cluster) if at > before], within=90)
    minutes = [at.replace(second=0, microsecond=0) for at in ticks(cluster)]
    assert len(minutes) == len(set(minutes))
    [row] = cluster.json("schedule", "ls")["schedules"]
    assert row["name"] == "minutely"
