"""Pools with code or an image of their own in a cluster: what runs, and what is replaced."""

import json
from pathlib import Path
from typing import Any

import pytest

from jobctl.engine.errors import Conflict
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "tasks.py").write_text("def f(): ...\n")
    return folder


def pools(**own: dict[str, Any]) -> dict[str, Any]:
    return {"workers": {"default": {"replicas": 1}, **own}}


def told(demo: ClusterInMemory, name: str) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(
        demo.world.box(f"{PROJECT}-{name}").spec.env["JOBCTL_SETTINGS"]
    )
    return settings


def test_code_that_changed_replaces_the_workers_of_its_pool_alone(
    demo: ClusterInMemory, code: Path
) -> None:
    wanted = pools(functions={"replicas": 2, "code": str(code)})
    demo.up(wanted)
    assert demo.up(wanted).done == ()
    (code / "tasks.py").write_text("def g(): ...\n")
    report = demo.up(wanted)
    touched = {a.subject for a in report.done if a.kind == "container"}
    assert touched == {"worker-functions-1", "worker-functions-2"}
    assert "stop worker-functions-1: its image changed" in [str(action) for action in report.done]


def pool_tags(demo: ClusterInMemory) -> list[str]:
    return [tag for tag in demo.world.images if tag.startswith(("jobctl-pool:", "jobctl-runtime:"))]


def test_an_up_removes_the_images_of_pools_that_it_replaced(
    demo: ClusterInMemory, code: Path
) -> None:
    demo.world.add_image("team/app:1")
    demo.world.add_image("jobctl-pool:anothers")
    wanted = pools(
        functions={"replicas": 1, "code": str(code)}, mine={"replicas": 1, "image": "team/app:1"}
    )
    demo.up(wanted)
    first = pool_tags(demo)
    assert len(first) == 4
    (code / "tasks.py").write_text("def g(): ...\n")
    demo.up(wanted)
    second = pool_tags(demo)
    [gone] = set(first) - set(second)
    assert gone.startswith("jobctl-pool:")
    assert len(second) == 4
    # One that a container uses stays, and what cannot be done makes no difference.
    (code / "tasks.py").write_text("def h(): ...\n")
    demo.world.fail("remove_image", error=Conflict("in use"))
    demo.up(wanted)
    assert set(pool_tags(demo)) > set(second)
    (code / "tasks.py").write_text("def i(): ...\n")
    demo.world.fail("remove_image", nth=2)
    demo.up(wanted)
    assert len(pool_tags(demo)) == 5


def test_a_dry_run_names_the_image_that_would_be_built_and_builds_none(
    demo: ClusterInMemory, code: Path
) -> None:
    demo.up(pools())
    demo.mutations()
    lines = demo.plan(pools(functions={"replicas": 1, "code": str(code)})).lines()
    assert any(line.startswith("build image pool-functions: there is no jobctl-") for line in lines)
    assert demo.mutations() == []


def test_workers_are_told_where_the_code_is(demo: ClusterInMemory, code: Path) -> None:
    demo.up(pools(functions={"replicas": 1, "code": str(code), "env": {"A": "b"}}))
    mine, others = told(demo, "worker-functions-1"), told(demo, "worker-1")
    assert (mine["code"], mine["python"], mine["warm"]) == ("/opt/pool", "python3", True)
    assert mine["env"] == {"PYTHONPATH": "/opt/pool/src:/opt/pool/site", "A": "b"}
    assert (others["code"], others["warm"], others["env"]) == (None, False, {})


def test_in_an_image_of_the_users_the_worker_runs_by_its_own_loader_and_python(
    demo: ClusterInMemory,
) -> None:
    demo.world.add_image("team/app:1")
    demo.up(pools(mine={"replicas": 1, "image": "team/app:1", "python": "python3.13"}))
    box = demo.world.box(f"{PROJECT}-worker-mine-1")
    assert box.spec.image.startswith("jobctl-pool:")
    assert box.spec.command[0] == "/opt/jobctl/runtime/python3"
    assert box.spec.command[-1] == "/opt/jobctl/runtime/start.py"
    assert told(demo, "worker-mine-1")["python"] == "python3.13"
    assert demo.world.box(f"{PROJECT}-worker-1").spec.command[0] == "python3"
