"""When and in what order jobs run: priority, delay, queues and their states, schedules."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support.eventually import eventually
from tests.support.live import LiveCluster


@pytest.fixture(scope="module")
def restarted(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[LiveCluster, datetime]]:
    """A pool for each of two queues; what is due by the clock goes into the second one.

    The master was restarted: the schedule's next tick is awaited by the last test.
    """
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
        live.client.jobs()  # who has met a master waits for it
        live.restart("master-1")
        live.client.jobs()  # it is back
        restarted = datetime.now(UTC)
        yield live, restarted
    finally:
        live.close()


def started(cluster: LiveCluster, *ids: str) -> list[str]:
    """The ids in the order in which their jobs began."""
    return sorted(ids, key=lambda job_id: cluster.job(job_id)["started_at"])


def test_priorities_delays_queues_and_pauses(restarted: tuple[LiveCluster, datetime]) -> None:
    cluster, _ = restarted
    late = cluster.client.submit(argv=["true"], delay=5.0)["id"]
    assert cluster.job(late)["status"] == "scheduled"
    cluster.run("queue", "pause", "default")
    low, middle, high = (
        cluster.submit("--priority", str(p), "--", "sleep", "0.2")[0] for p in (-5, 0, 5)
    )
    [night] = cluster.submit("--queue", "night", "--", "true")
    cluster.wait(night)
    assert cluster.job(night)["worker"] == "worker-night-1"
    assert cluster.job(high)["status"] == "queued"
    assert "paused" in cluster.run("explain", high).out
    [later] = cluster.submit("--delay", "1h", "--", "true")
    assert cluster.job(later)["status"] == "scheduled"
    # Whether the one that is due soon waits already for the queue depends on the machine.
    [row] = [row for row in cluster.json("queue", "ls")["queues"] if row["name"] == "default"]
    assert row["state"] == "paused"
    assert row["queued"] in (3, 4)
    cluster.run("cancel", later)

    cluster.run("queue", "resume", "default")
    cluster.wait(low, middle, high, late)
    assert started(cluster, low, middle, high) == [high, middle, low]
    job = cluster.job(late)
    waited = datetime.fromisoformat(job["started_at"]) - datetime.fromisoformat(job["submitted_at"])
    assert waited.total_seconds() >= 5

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
    jobs = cluster.client.jobs(name="tick")["jobs"]
    return [datetime.fromisoformat(job["submitted_at"] or "") for job in jobs]


def test_a_schedule_fires_once_a_tick_while_masters_come_and_go(
    restarted: tuple[LiveCluster, datetime],
) -> None:
    cluster, before = restarted
    eventually(lambda: [at for at in ticks(cluster) if at > before], within=90)
    minutes = [at.replace(second=0, microsecond=0) for at in ticks(cluster)]
    assert len(minutes) == len(set(minutes))
    [row] = cluster.json("schedule", "ls")["schedules"]
    assert row["name"] == "minutely"
