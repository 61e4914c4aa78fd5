"""Every packaged drill passes, and leaves the cluster as it was."""

import pytest

from jobctl.chaos.drills.drill_file import drill_names
from tests.engine.chaos.test_01_drills import state
from tests.support.live import LiveCluster


@pytest.mark.parametrize("name", [name for name in drill_names() if name != "soak"])
def test_each_template_passes(standing: LiveCluster, name: str) -> None:
    before = state(standing)
    ran = standing.run("chaos", "drill", name, "--seed", "1", check=False, within=900)
    assert ran.code == 0, ran.out + ran.err
    assert ran.out.startswith("PASS")
    assert state(standing) == before
