"""What a look at the volumes reads: the specs and orders, and not whatever else lies there."""

import pytest

from jobctl.cluster.observed import Observed, observe
from jobctl.cluster.ordering import give
from jobctl.cluster.orders import Order
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.memory_files import renamed


@pytest.fixture
def read(demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read of the volumes."""
    asked: list[str] = []
    get = demo.engine.get_archive

    def noted(name: str, path: str) -> bytes | None:
        asked.append(path)
        return get(name, path)

    monkeypatch.setattr(demo.engine, "get_archive", noted)
    return asked


def looked(demo: ClusterInMemory) -> Observed:
    # Without a connection that answers, all that is known is on the volumes.
    return observe(demo.engine, PROJECT, ask=False)


def as_an_earlier_jobctl_wrote(demo: ClusterInMemory, *numbers: int) -> None:
    _, tree = demo.world.volumes[f"{PROJECT}-control"]
    for number in numbers:
        info, data = tree.entries.pop(f"/specs/spec-{number}.json")
        tree.entries[f"/spec-{number}.json"] = (renamed(info, f"spec-{number}.json"), data)


def test_not_the_whole_volume_is_read(demo: ClusterInMemory, read: list[str]) -> None:
    demo.up()
    image = demo.world.boxes[f"{PROJECT}-master-1"].spec.image
    give(demo.engine, PROJECT, image, "default", Order(paused=True))
    read.clear()
    seen = looked(demo)
    assert seen.generation
    assert seen.orders["default"].paused
    assert "/jobctl/control" not in read


def test_specs_of_an_earlier_jobctl_are_found(demo: ClusterInMemory) -> None:
    demo.up()
    demo.scale({"default": 2})
    as_an_earlier_jobctl_wrote(demo, 1, 2)
    seen = looked(demo)
    assert seen.generation
    assert (seen.generation.number, seen.generation.spec.overrides) == (2, {"default": 2})


def test_what_an_earlier_jobctl_wrote_can_be_gone_back_to(demo: ClusterInMemory) -> None:
    demo.up()
    before = looked(demo).generation
    assert before
    as_an_earlier_jobctl_wrote(demo, 1)
    demo.up({"workers": {"default": {"memory": "96mb"}}})
    _, tree = demo.world.volumes[f"{PROJECT}-control"]
    while_rolled_out = [path for path in tree.entries if path.endswith("spec-2.json")]
    assert while_rolled_out == ["/specs/spec-2.json"]
    for path in [path for path in tree.entries if path.endswith("spec-3.json")]:
        del tree.entries[path]
    stored = looked(demo).stored
    assert stored
    assert stored.generation
    assert (stored.generation.number, stored.fallback) == (2, before)
