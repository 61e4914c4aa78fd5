"""What tests rely on beyond the contract: recorded mutations, and faults where they are wanted."""

import threading

import pytest

from jobctl.engine.errors import EngineError
from tests.support.engine_lab import Lab
from tests.support.memory_engine import MemoryEngine
from tests.support.memory_world import Killed, Mutation, World


@pytest.fixture
def world() -> World:
    world = World()
    world.add_image("tiny:1")
    return world


@pytest.fixture
def lab(world: World) -> Lab:
    return Lab(MemoryEngine(world), "tiny:1")


def test_mutations_are_recorded_and_looking_is_none(world: World, lab: Lab) -> None:
    name = lab.start("a")
    lab.engine.containers(lab.labels)
    lab.engine.inspect(name)
    lab.engine.remove(name, force=True)
    assert world.mutations == [
        Mutation("create_network", lab.network()),
        Mutation("create", name),
        Mutation("start", name),
        Mutation("remove", name),
    ]


def test_the_nth_call_of_a_kind_fails_and_changes_nothing(world: World, lab: Lab) -> None:
    world.fail("create", nth=2)
    lab.create("a")
    with pytest.raises(EngineError):
        lab.create("b")
    lab.create("c")
    assert {row.name for row in lab.engine.containers(lab.labels)} == {lab.name("a"), lab.name("c")}


def test_the_client_can_die_after_any_call_took_effect(world: World, lab: Lab) -> None:
    lab.network()
    world.fail("*", nth=2, error=Killed(), after=True)
    name = lab.create("a")
    with pytest.raises(Killed):
        lab.engine.start(name)
    assert lab.inspect(name).state == "running"


def test_what_a_container_does_is_up_to_the_test(world: World, lab: Lab) -> None:
    world.on_start = lambda name: world.end(name, 3)
    name = lab.start("a")
    assert (lab.inspect(name).state, lab.inspect(name).exit_code) == ("exited", 3)


def test_output_is_followed_across_threads(world: World, lab: Lab) -> None:
    name = lab.start("a")
    stream = lab.engine.logs(name, follow=True)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.extend(stream))
    reader.start()
    world.write_log(name, b"one")
    world.write_log(name, b"two")
    world.end(name, 0)
    reader.join(timeout=10)
    assert got == [b"one", b"two"]


def test_a_restart_can_be_held_back(world: World, lab: Lab) -> None:
    name = lab.start("a", restart="unless-stopped")
    world.holds_restarts = True
    world.crash(name, 5)
    assert (lab.inspect(name).state, lab.inspect(name).exit_code) == ("restarting", 5)
    world.come_back(name)
    assert (lab.inspect(name).state, lab.inspect(name).restart_count) == ("running", 1)
    world.crash(name)
    lab.engine.stop(name, 1)
    assert lab.inspect(name).state == "exited"


def test_what_a_test_ends_stays_down_whatever_its_policy(world: World, lab: Lab) -> None:
    name = lab.start("a", restart="unless-stopped")
    world.end(name, 137)
    assert lab.inspect(name).state == "exited"


def test_time_is_the_tests_own() -> None:
    world = World(clock=lambda: 7.5)
    world.add_image("tiny:1")
    lab = Lab(MemoryEngine(world), "tiny:1")
    assert lab.inspect(lab.start("a")).started_at == 7.5
