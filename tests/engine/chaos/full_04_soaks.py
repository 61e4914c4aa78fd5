"""Five soaks with five seeds on the reference cluster: nothing is lost, accepted twice or stuck.

Not one of every run, for it takes two hours. `script/accept chaos` runs it, and remembers each seed
that passed.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.engine.chaos.test_01_drills import leaves_no_marks, open_jobs, state
from tests.support.eventually import eventually
from tests.support.live import LiveCluster

FULL = os.environ.get("JOBCTL_TEST_SIZE") == "full"
SEEDS = (1, 2, 3, 4, 5) if FULL else (1,)
LENGTH = "20m" if FULL else "1m"
ENDS_REDIS = {"kill-redis", "restart-redis"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_soak_loses_nothing(standing: LiveCluster, tmp_path: Path, seed: int) -> None:
    before = state(standing)
    report = tmp_path / "soak.html"
    ran = standing.run(
        *("--output", "json", "chaos", "soak", "--for", LENGTH, "--seed", str(seed)),
        *("--report", str(report)),
        check=False,
        within=3600,
    )
    [verdict] = ran.data["runs"]
    assert verdict["reasons"] == [], ran.err
    assert (verdict["outcome"], ran.code) == ("PASS", 0)
    assert [verdict[what] for what in ("lost", "accepted_twice", "stuck")] == [0, 0, 0]
    if FULL:
        assert ends_of_redis(verdict) > 1
    assert report.exists()
    eventually(lambda: state(standing) == before)
    assert leaves_no_marks(standing)
    assert open_jobs(standing) == []


def ends_of_redis(verdict: Any) -> int:
    return sum(
        fault["kind"] in ENDS_REDIS
        or (fault["kind"] == "remove-container" and fault["instance"] == "redis-1")
        for fault in verdict["faults"]
    )
