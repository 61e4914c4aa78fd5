"""Deaths that nobody ordered through the engine: what is told, and what the restart policy does."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from jobctl.engine.protocol import EventStream
from tests.support.engine_lab import Lab
from tests.support.eventually import eventually
from tests.support.memory_engine import MemoryEngine
from tests.support.told import until


@pytest.fixture
def stream(lab: Lab) -> Iterator[EventStream]:
    """Subscribe to what happens to this test's containers."""
    with closing(lab.engine.events(lab.labels)) as stream:
        yield stream


def crash(lab: Lab, name: str) -> None:
    """Kill a container's main program from inside."""
    if isinstance(lab.engine, MemoryEngine):
        lab.engine.world.crash(name, 137)
    else:
        # Everything but the init process, which nothing inside can kill, and the shell itself.
        lab.engine.execute(name, ("sh", "-c", "kill -KILL -1"))


def run_out_of_memory(lab: Lab, suffix: str) -> str:
    """Start a container whose main program takes more memory than there is."""
    if isinstance(lab.engine, MemoryEngine):
        name = lab.start(suffix)
        lab.engine.world.crash(name, 137, oom=True)
        return name
    return lab.start(suffix, "sh", "-c", "x=aaaaaaaa; while :; do x=$x$x; done", memory=16 << 20)


def test_the_restart_policy_brings_back_what_dies_from_inside(
    lab: Lab, stream: EventStream
) -> None:
    name = lab.start("a", restart="unless-stopped")
    until(stream, "start")
    before = lab.inspect(name)
    crash(lab, name)
    died, *_, back = until(stream, "die", "start")
    assert (died.action, died.exit_code) == ("die", 137)
    assert (back.action, back.id) == ("start", before.id)
    after = lab.inspect(name)
    assert (after.state, after.restart_count, after.oom_killed) == ("running", 1, False)
    assert after.started_at > before.started_at
    assert set(after.addresses) == {lab.home()}


def test_without_a_policy_it_stays_down(lab: Lab, stream: EventStream) -> None:
    name = lab.start("a", restart="no")
    crash(lab, name)
    until(stream, "die")
    lab.engine.remove(name)
    assert [event.action for event in until(stream, "destroy")] == ["destroy"]


def test_a_kill_through_the_engine_cancels_the_policy_until_the_next_start(
    lab: Lab, stream: EventStream
) -> None:
    name = lab.start("a", restart="unless-stopped")
    lab.engine.kill(name)
    until(stream, "die")
    assert lab.ended(name).restart_count == 0
    lab.engine.start(name)
    until(stream, "start")
    crash(lab, name)
    until(stream, "die", "start")
    assert lab.inspect(name).restart_count == 1
    lab.engine.stop(name, 5)
    lab.engine.start(name)
    assert lab.inspect(name).restart_count == 0  # it counts from the last start by hand


def test_what_runs_out_of_memory_is_told_apart(lab: Lab, stream: EventStream) -> None:
    name = run_out_of_memory(lab, "a")
    events = until(stream, "oom", "die")
    told = {event.action: event for event in events}
    assert told["oom"].name == name
    assert told["die"].exit_code == 137
    # With the death it is written down only if it was known by then, which on a busy machine it
    # may not be: that the engine tells it is what counts.
    known = events.index(told["oom"]) < events.index(told["die"])
    assert lab.ended(name).oom_killed or not known


def test_a_paused_container_can_be_killed(lab: Lab, stream: EventStream) -> None:
    name = lab.start("a", restart="unless-stopped")
    lab.engine.pause(name)
    lab.engine.kill(name)
    until(stream, "die")
    assert lab.ended(name).exit_code == 137


def test_the_death_is_seen_no_later_than_it_is_told(lab: Lab, stream: EventStream) -> None:
    name = lab.start("a")
    lab.engine.kill(name)
    (*_, died) = until(stream, "die")
    ended = eventually(lambda: lab.inspect(name).finished_at)
    assert died.time >= ended
