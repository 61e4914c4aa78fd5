"""Long soaks with several seeds: all faults at random, and Redis ended again and again."""

import json

import pytest

from tests.engine.chaos.test_01_drills import state
from tests.support.live import LiveCluster


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_long_soak_passes(standing: LiveCluster, seed: int) -> None:
    before = state(standing)
    ran = standing.run(
        *("--output", "json", "chaos", "soak", "--for", "20m", "--seed", str(seed)),
        check=False,
        within=2400,
    )
    assert ran.code == 0, ran.out + ran.err
    [verdict] = json.loads(ran.out)["runs"]
    assert (verdict["lost"], verdict["accepted_twice"], verdict["stuck"]) == (0, 0, 0)
    made = [each["kind"] for each in verdict["faults"]]
    assert made.count("kill-redis") + made.count("restart-redis") >= 5
    assert state(standing) == before
