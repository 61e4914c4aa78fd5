"""A drill is cut short at many instants, politely and not: the cluster is as before all the same.

Not one of every run, for it takes half an hour. `script/accept chaos` runs it.
"""

import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobctl.chaos import images
from jobctl.chaos.inject import live_faults
from tests.engine.chaos.test_01_drills import PATIENT, TOO_MANY, leaves_no_marks, open_jobs
from tests.support.eventually import eventually
from tests.support.live import LiveCluster

LAST = 16.0
"""Seconds after which it is over in any case: it lasts ten, beginning and end take the rest."""

# One of each way of undoing, close together: whatever the instant, something is half-way.
FAULTS: list[dict[str, Any]] = [
    {"at": "0s", "fault": "partition", "target": "worker-1", "settings": {"from": "redis"}},
    {"at": "1s", "fault": "pause-worker", "target": "worker-2"},
    {"at": "2s", "fault": "cut-connection", "target": "worker-3"},
    {"at": "3s", "fault": "slow-cpu", "target": "master-1"},
    {"at": "4s", "fault": "partition", "target": "worker-2"},
    {"at": "5s", "fault": "redis-full"},
    {"at": "6s", "fault": "wrong-clock", "target": "worker-1"},
    {"at": "7s", "fault": "kill-worker", "target": "worker-3"},
    {"at": "8s", "fault": "kill-redis"},
]
DRILL: dict[str, Any] = {
    "lasts": "10s",
    "workload": {
        "shells": {"kind": "sleep", "rate": "4/s", "takes": "200ms"},
        "functions": {"kind": "function", "rate": "4/s", "takes": "50ms"},
        **TOO_MANY,
    },
    "faults": [{"lasts": "3s", **fault} for fault in FAULTS],
    "allow": {"at_once": 9, "share": 1.0},
    **PATIENT,
}


def cases() -> list[tuple[signal.Signals, float]]:
    dice = random.Random(5)
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL)
    return [(ends[number % len(ends)], round(dice.uniform(0, LAST), 2)) for number in range(32)]


@pytest.fixture
def path(standing: LiveCluster) -> Path:
    found = standing.folder / "cut-short.yaml"
    found.write_text(yaml.safe_dump(DRILL))
    return found


def whole(cluster: LiveCluster) -> dict[str, Any]:
    """Return all that a drill could leave changed, but for rules for packets."""
    found: dict[str, Any] = {"live": live_faults(cluster.engine, cluster.project)}
    for row in cluster.engine.containers({"jobctl.project": cluster.project}):
        detail = cluster.engine.inspect(row.id)
        if detail is None:
            continue  # it goes as one looks
        networks = {name: set(aliases) for name, aliases in detail.aliases.items()}
        limits = (detail.cpus, detail.memory, detail.memory_swap)
        found[row.name] = (detail.state, limits, detail.env, networks)
    return found


def rules(cluster: LiveCluster) -> list[str]:
    """Return the rules for packets that faults have put into the cluster's containers."""
    image = images.helper(cluster.engine, cluster.project)
    tables = ("sh", "-c", "for t in filter nat; do iptables -t $t -S || exit 1; done")
    own = ("--rm", "--cap-add=NET_ADMIN", "--cap-add=NET_RAW", "--env=XTABLES_LOCKFILE=/tmp/lock")
    found = []
    for row in cluster.engine.containers({"jobctl.project": cluster.project}):
        argv = ("docker", "run", *own, f"--network=container:{row.id}", image, *tables)
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        found += [line for line in said.splitlines() if "JOBCTL" in line]
    return found


def nothing_is_left(cluster: LiveCluster) -> bool:
    return leaves_no_marks(cluster) and open_jobs(cluster) == [] and rules(cluster) == []


@pytest.mark.parametrize(("number", "after"), cases())
def test_whatever_cuts_it_short_all_is_as_before(
    standing: LiveCluster, path: Path, number: signal.Signals, after: float
) -> None:
    before = whole(standing)
    assert before["live"] == ()
    running = standing.spawn("chaos", "drill", str(path), "--seed", "1")
    try:
        running.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        running.send_signal(number)
    said = "".join(running.communicate(timeout=300))
    if running.returncode == -signal.SIGKILL:
        standing.run("chaos", "heal")
    else:
        # Ended by itself, broken off, or before it listened to anybody.
        assert running.returncode in (0, 1, 2, 130, -number), said
        assert "is left" not in said
    # Who was killed comes back by the controller.
    eventually(lambda: whole(standing) == before, every=0.5)
    assert nothing_is_left(standing), said


def test_the_next_drill_clears_away_what_one_that_was_killed_left(
    standing: LiveCluster, path: Path
) -> None:
    before = whole(standing)
    running = standing.spawn("chaos", "drill", str(path), "--seed", "1")
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("pause-worker of worker-2"):
            break
    running.kill()
    running.communicate()
    brief = standing.folder / "brief.yaml"
    workload = {"shells": {"kind": "sleep", "rate": "4/s", "takes": "200ms"}}
    brief.write_text(yaml.safe_dump({"lasts": "5s", "workload": workload, **PATIENT}))
    ran = standing.run("chaos", "drill", str(brief), "--seed", "1", check=False)
    assert ran.code == 0, ran.out + ran.err
    eventually(lambda: whole(standing) == before, every=0.5)
    assert nothing_is_left(standing)
