"""Nothing that goes wrong ends the loop, and what lasts is said once."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobctl.cluster.archive import File, pack
from jobctl.cluster.observed import Observed
from jobctl.cluster.seed import Seed
from jobctl.control import state
from jobctl.control.controller import Controller
from jobctl.control.custody import Custody
from jobctl.control.state import ControllerState, read_state
from jobctl.engine.errors import EngineError, EngineUnreachable
from jobctl.engine.protocol import Engine
from jobctl.queue import Cause
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.controlled import QUICK, FakePlace, Running, runs
from tests.support.eventually import eventually


class BrokenPlace(FakePlace):
    """Where the engine does not answer while `broken`."""

    broken: Exception | None = None

    def look(self, engine: Engine, *, ask: bool) -> Observed:
        if self.broken is not None:
            raise self.broken
        return super().look(engine, ask=ask)


@pytest.fixture
def place(demo: ClusterInMemory, tmp_path: Path) -> BrokenPlace:
    demo.up(QUICK)
    return BrokenPlace(demo, tmp_path)


def kept(place: FakePlace) -> ControllerState:
    found = state.read(place.folder)
    assert found is not None
    return found


@pytest.mark.parametrize("error", [EngineUnreachable("No engine.", "jobctl doctor"), KeyError("x")])
def test_an_engine_that_does_not_answer_is_said_once_and_looked_at_again(
    demo: ClusterInMemory, place: BrokenPlace, error: Exception
) -> None:
    control = Running(place)
    kind = "not-seen" if isinstance(error, EngineError) else "round-failed"
    with control():
        place.broken = error
        control.look_again(4)
        assert len(control.told(kind)) == 1
        demo.engine.kill("demo-worker-2")
        place.broken = None
        eventually(lambda: runs(demo, "worker-2"))
        eventually(lambda: control.told(f"{kind}-no-more"))


def test_conditions_are_written_with_their_reason_and_what_to_do(place: BrokenPlace) -> None:
    control = Running(place)
    with control():
        eventually(lambda: kept(place).conditions == ())
        place.broken = EngineUnreachable("No engine answers.", "jobctl doctor")
        [condition] = eventually(lambda: kept(place).conditions)
        assert (condition.name, condition.reason) == ("EngineUnreachable", "No engine answers.")
        assert condition.next == "jobctl doctor"
        place.broken = None
        eventually(lambda: kept(place).conditions == ())
    assert (kept(place).holder, kept(place).project) == (place.holder, PROJECT)


def test_one_part_that_fails_keeps_no_other_from_its_work(
    demo: ClusterInMemory, place: BrokenPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Custody, "keep", fails)
    monkeypatch.setattr(Custody, "heard", fails)
    control = Running(place)
    with control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: runs(demo, "worker-2"))
        control.look_again(3)
    assert [cause for _, cause in place.fake.released] == [Cause.WORKER_LOST]
    [said] = control.told("custody-failed")
    assert "ZeroDivisionError" in said["reason"]


def test_without_room_for_its_file_it_goes_on(demo: ClusterInMemory, place: BrokenPlace) -> None:
    (place.folder / "state.json").mkdir()
    control = Running(place)
    with control():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: runs(demo, "worker-2"))
        control.look_again(3)
    assert len(control.told("state-not-written")) == 1
    # Nothing half written is left.
    assert [path.name for path in place.folder.iterdir() if path.name.startswith(".")] == []


def test_the_spec_of_another_version_is_left_alone(
    demo: ClusterInMemory, place: BrokenPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Running(place)
    monkeypatch.setattr("jobctl.cluster.labels.SCHEMA", "1")
    with control():
        demo.engine.kill("demo-worker-2")
        control.look_again(2)
        assert not runs(demo, "worker-2")
    assert [each.name for each in kept(place).conditions] == ["SpecUnreadable"]
    assert len(control.told("spec-unreadable")) == 1


def test_a_crash_loop_outlives_the_controller_that_gave_up(
    demo: ClusterInMemory, tmp_path: Path
) -> None:
    demo.up({**QUICK, "healing": {"backoff": "100ms", "max_backoff": "100ms", "give_up_after": 2}})
    place = FakePlace(demo, tmp_path)

    def die(name: str) -> None:
        if name == "demo-worker-2":
            demo.world.end(name, 1)

    demo.world.on_start = die
    first, next_one = Running(place), Running(place)
    with first():
        demo.engine.kill("demo-worker-2")
        eventually(lambda: kept(place).conditions)
    with next_one():
        demo.engine.kill("demo-worker-1")
        eventually(lambda: runs(demo, "worker-1"))
        next_one.look_again(3)
    assert [each.instance for each in kept(place).conditions] == ["worker-2"]
    assert "worker-2" not in [facts["subject"] for facts in next_one.told("action")]


def test_the_newest_state_is_found_on_the_volume_or_on_this_host(
    demo: ClusterInMemory, place: BrokenPlace
) -> None:
    assert read_state(demo.engine, PROJECT) is None
    with Running(place)():
        eventually(lambda: kept(place))
    written = pack([File("state.json", (place.folder / "state.json").read_bytes(), 0, 0, 0o644)])
    with Seed(demo.engine, PROJECT, demo.world.boxes["demo-worker-1"].spec.image):
        demo.engine.put_archive("demo-seed", "/jobctl/control/controller", written)
    assert read_state(demo.engine, PROJECT) == kept(place)
    older = replace(kept(place), at=1.0)
    state.write(state.host_folder(PROJECT), older)
    assert read_state(demo.engine, PROJECT) == kept(place)
    newer = replace(kept(place), at=kept(place).at + 1)
    state.write(state.host_folder(PROJECT), newer)
    assert read_state(demo.engine, PROJECT) == newer


def test_one_that_may_begin_anew_leaves_when_it_cannot_reach_the_engine(
    place: BrokenPlace,
) -> None:
    place.broken = EngineUnreachable("No engine answers.")
    said: list[str] = []
    controller = Controller(
        place.cluster.engine.clone(),
        place,
        lambda event, **_facts: said.append(event),
        clock=place.cluster.world.now,
        leave_after=0.0,
    )
    controller.run()
    assert "leaves" in said
