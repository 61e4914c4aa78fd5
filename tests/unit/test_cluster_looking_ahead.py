"""The look that `up` takes while the file is loaded: as good as its own, or not used."""

import pytest

from jobctl.cluster import look_ahead, looking_ahead
from jobctl.cluster.observed import observe
from jobctl.engine.errors import EngineUnreachable
from jobctl.engine.model import Container
from tests.support.cluster_in_memory import ALL, PROJECT, ClusterInMemory
from tests.support.memory_engine import MemoryEngine


class Looks(MemoryEngine):
    """An engine that counts how often it is looked at, by all its clients."""

    looks = 0

    def clone(self) -> "MemoryEngine":
        return self

    def containers(self, labels: object) -> list[Container]:
        self.looks += labels == {}
        return super().containers(labels)  # type: ignore[arg-type]


class Gone(MemoryEngine):
    """An engine that does not answer any more."""

    def clone(self) -> "MemoryEngine":
        return self

    def containers(self, labels: object) -> list[Container]:
        raise EngineUnreachable("Nobody answers.", "docker info")


def test_up_looks_no_second_time(demo: ClusterInMemory) -> None:
    demo.up()
    demo.engine = engine = Looks(demo.world)
    ahead = look_ahead(engine, PROJECT)
    assert demo.up(ahead=ahead).done == ()
    assert engine.looks == 1


def test_what_another_command_made_since_is_found_and_left_as_it_is(demo: ClusterInMemory) -> None:
    empty = observe(demo.engine, PROJECT)
    demo.up()
    made = {name: box.id for name, box in demo.world.boxes.items()}
    report = demo.up(ahead=lambda: empty)
    assert report.rounds > 1
    assert demo.states() == ALL
    assert {name: box.id for name, box in demo.world.boxes.items()} == made


def test_one_that_another_command_removed_since_is_made_again(demo: ClusterInMemory) -> None:
    demo.up()
    demo.world.end("demo-worker-2", 137)
    full = observe(demo.engine, PROJECT)
    demo.engine.remove("demo-worker-2")
    assert demo.up(ahead=lambda: full).rounds > 1
    assert demo.states() == ALL


def test_a_look_from_long_ago_is_not_used(
    demo: ClusterInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_ahead, "_FRESH", 0.0)
    assert look_ahead(demo.engine, PROJECT)() is None
    assert demo.up(ahead=lambda: None).done


def test_of_another_project_it_is_not_used(demo: ClusterInMemory) -> None:
    demo.up()
    other = observe(demo.engine, "other")
    report = demo.up(ahead=lambda: other)
    assert (report.rounds, report.done) == (1, ())


def test_one_that_fails_says_nothing_by_itself(demo: ClusterInMemory) -> None:
    ahead = look_ahead(Gone(demo.world), PROJECT)
    assert ahead() is None
    demo.engine = Gone(demo.world)
    with pytest.raises(EngineUnreachable, match="Nobody answers"):
        demo.up(ahead=ahead)
