"""Drills on a real cluster: a verdict, its exit code, and nothing left behind however they end."""

import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobctl.chaos.inject import live_faults
from jobctl.engine.model import Container
from tests.support.eventually import eventually
from tests.support.live import LiveCluster

# What a busy machine can do, too.
PATIENT = {"steady": {"start_within": "60s", "backlog": 5000}, "recover_within": "90s"}


def state(cluster: LiveCluster) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What runs, and in which networks: all that a fault could leave changed."""
    rows: list[Container] = cluster.engine.containers(
        {"com.docker.compose.project": cluster.project}
    )
    return {row.name: (row.state, tuple(sorted(row.addresses))) for row in rows}


def leaves_no_marks(cluster: LiveCluster) -> bool:
    found = cluster.engine.execute(
        cluster.container("worker-1"), ("sh", "-c", "ls -d /jobctl/jobs/drill-* 2>/dev/null")
    )
    return found.output == b""


def open_jobs(cluster: LiveCluster) -> list[str]:
    """Return the names of the jobs of drills that have not ended."""
    statuses = ("blocked", "scheduled", "queued", "claimed", "running")
    found = [job["name"] for one in statuses for job in cluster.client.jobs(status=one)["jobs"]]
    return [name for name in found if name.startswith("drill/")]


# More than there are slots, and none of them ends by itself while a test lasts.
TOO_MANY: dict[str, Any] = {"many": {"kind": "sleep", "rate": "100/s", "count": 50, "takes": "10m"}}


def drill(
    cluster: LiveCluster,
    name: str,
    lasts: str,
    faults: list[dict[str, Any]],
    more: dict[str, Any] | None = None,
) -> Path:
    path = cluster.folder / f"{name}.yaml"
    workload = {
        **(more or {}),
        "shells": {"kind": "sleep", "rate": "2/s", "takes": "200ms"},
        "functions": {"kind": "function", "rate": "2/s", "takes": "50ms"},
        "failing": {
            "kind": "command",
            "rate": "30/m",
            "argv": ["false"],
            "expect": ["failed"],
        },
    }
    body = {"lasts": lasts, "workload": workload, "faults": faults, **PATIENT}
    path.write_text(yaml.safe_dump(body))
    return path


def test_a_worker_is_killed_and_the_verdict_is_pass(standing: LiveCluster) -> None:
    before = state(standing)
    faults = [{"at": "1s", "fault": "kill-worker", "target": "worker-2"}]
    path = drill(standing, "brief", "4s", faults)
    report = standing.folder / "report.html"
    ran = standing.run(
        *("--output", "json", "chaos", "drill", str(path), "--seed", "1", "--report", str(report)),
        check=False,
    )
    assert ran.code == 0, ran.out + ran.err
    [verdict] = ran.data["runs"]
    assert (verdict["outcome"], verdict["reasons"]) == ("PASS", [])
    assert verdict["acknowledged"] == sum(verdict["ended"].values()) == verdict["sent"] == 18
    assert verdict["ended"]["failed"] == 2
    [fault] = verdict["faults"]
    assert (fault["kind"], fault["instance"]) == ("kill-worker", "worker-2")
    page = report.read_text()
    assert "<svg" in page
    assert not any(outside in page for outside in ("http://", "https://", "src=", "@import"))
    assert state(standing) == before
    assert leaves_no_marks(standing)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
def test_a_drill_that_is_broken_off_leaves_nothing(
    standing: LiveCluster, number: signal.Signals
) -> None:
    before = state(standing)
    faults = [{"at": "0s", "fault": "pause-worker", "target": "worker-3", "lasts": "100s"}]
    path = drill(standing, "broken-off", "100s", faults, TOO_MANY)
    running = standing.spawn("chaos", "drill", str(path))
    assert running.stderr is not None
    said = ""
    for line in running.stderr:
        said += line
        if line.startswith("pause-worker of worker-3"):
            break
    assert standing.container("worker-3") in {
        name for name, (found, _) in state(standing).items() if found == "paused"
    }, said
    eventually(lambda: standing.client.jobs(name="drill/many", status="queued")["jobs"])
    running.send_signal(number)
    _, rest = running.communicate(timeout=180)
    if number == signal.SIGKILL:
        assert not leaves_no_marks(standing)
        healed = standing.run("chaos", "heal").out
        assert "undone: pause-worker worker-3" in healed
        assert "cleared: what a drill left in /jobctl/jobs/drill-" in healed
    else:
        assert running.returncode == 130, said + rest
        assert "Broken off" in rest
    assert live_faults(standing.engine, standing.project) == ()
    assert state(standing) == before
    assert leaves_no_marks(standing)
    assert open_jobs(standing) == []
