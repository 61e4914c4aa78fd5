"""When and in what order jobs run: priority, delay, queues and their states, schedules."""

from datetime import UTC, datetime

from tests.engine.conftest import MakeCluster
from tests.support.eventually import eventually
from tests.support.live import LiveCluster


def started(cluster: LiveCluster, *ids: str) -> list[str]:
    """The ids in the order in which their jobs began."""
    return sorted(ids, key=lambda job_id: cluster.job(job_id)["started_at"])


def test_priorities_delays_queues_and_pauses(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(
        {
            "workers": {
                "default": {"replicas": 1, "concurrency": 1},
                "night": {"replicas": 1, "concurrency": 1, "queues": ["night"]},
            }
        }
    )
    cluster.run("up")
    cluster.run("queue", "pause", "default")
    low, middle, high = (
        cluster.submit("--priority", str(p), "--", "sleep", "0.2")[0] for p in (-5, 0, 5)
    )
    [late] = cluster.submit("--delay", "20s", "--", "true")
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
    assert waited.total_seconds() >= 20

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


def test_a_schedule_fires_once_a_tick_while_masters_come_and_go(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(
        {
            "workers": {"default": {"replicas": 1}},
            "schedules": {
                "minutely": {
                    "cron": "* * * * *",
                    "timezone": "Europe/Berlin",
                    "job": {"argv": ["echo", "tick"], "name": "tick"},
                }
            },
        }
    )
    cluster.run("up")
    before = datetime.now(UTC)
    cluster.restart("master-1")
    eventually(lambda: cluster.run("jobs", check=False).code == 0)  # it is back
    eventually(lambda: cluster.json("jobs", "--name", "tick")["jobs"], within=90)
    jobs = cluster.json("jobs", "--name", "tick")["jobs"]
    minutes = {datetime.fromisoformat(job["submitted_at"]).strftime("%H:%M") for job in jobs}
    assert len(jobs) == len(minutes)
    assert all(datetime.fromisoformat(job["submitted_at"]) > before for job in jobs)
    [row] = cluster.json("schedule", "ls")["schedules"]
    assert row["name"] == "minutely"
