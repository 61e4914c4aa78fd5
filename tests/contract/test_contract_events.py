"""Events: what happens after the subscription is told in order, until either side hangs up."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from jobctl.engine.model import EngineEvent, HealthCheck
from jobctl.engine.protocol import EventStream
from tests.support.engine_lab import Lab
from tests.support.told import until


def actions(events: list[EngineEvent]) -> list[str]:
    return [event.action for event in events]


@pytest.fixture
def stream(lab: Lab) -> Iterator[EventStream]:
    """Subscribe to what happens to this test's containers."""
    with closing(lab.engine.events(lab.labels)) as stream:
        yield stream


def test_a_life_is_told_in_order(lab: Lab, stream: EventStream) -> None:
    name = lab.start("a")
    lab.engine.pause(name)
    lab.engine.unpause(name)
    lab.engine.stop(name, 5)
    lab.engine.remove(name)
    told = until(stream, "destroy")
    once = list(dict.fromkeys(actions(told)))  # a stop may need two signals
    assert once == ["create", "start", "pause", "unpause", "kill", "die", "stop", "destroy"]
    assert {(event.kind, event.name) for event in told} == {("container", name)}
    assert all(event.labels.items() >= lab.labels.items() for event in told)
    assert [event.time for event in told] == sorted(event.time for event in told)
    first = next(event for event in told if event.action == "kill")
    assert first.signal == 15


def test_nothing_is_missed_right_after_the_subscription(lab: Lab) -> None:
    for number in range(5):
        with closing(lab.engine.events(lab.labels)) as stream:
            made = lab.inspect(lab.create(str(number))).id
            (created,) = until(stream, "create")
        assert created.id == made


def test_what_happened_before_is_not_told(lab: Lab) -> None:
    lab.create("before")
    with closing(lab.engine.events(lab.labels)) as stream:
        after = lab.create("after")
        assert [event.name for event in until(stream, "create")] == [after]


def test_what_happened_since_an_instant_is_remembered(lab: Lab, stream: EventStream) -> None:
    lab.start("a")
    first, second = until(stream, "start")
    lab.engine.remove(lab.create("b", labels={"jobctl.test": "another"}))
    assert lab.engine.recent_events(lab.labels, first.time) == [first, second]
    assert lab.engine.recent_events(lab.labels, second.time) == [second]
    assert lab.engine.recent_events(lab.labels, second.time + 1) == []


def test_only_what_carries_all_the_labels_is_told(lab: Lab) -> None:
    wanted = lab.labels | {"role": "x"}
    with closing(lab.engine.events(wanted)) as stream:
        lab.create("a")
        lab.create("b", labels=lab.labels | {"role": "y"})
        name = lab.create("c", labels=wanted | {"more": "z"})
        (told,) = until(stream, "create")
    assert told.name == name
    assert told.labels.items() >= (wanted | {"more": "z"}).items()
    assert not {"name", "image"} & set(told.labels)


def test_a_kill_is_told_with_its_signal_and_the_death_with_its_exit_code(
    lab: Lab, stream: EventStream
) -> None:
    name = lab.start("a", restart="unless-stopped")
    lab.engine.kill(name)
    told = until(stream, "die")
    assert actions(told) == ["create", "start", "kill", "die"]
    assert (told[2].signal, told[2].exit_code) == (9, None)
    assert (told[3].signal, told[3].exit_code) == (None, 137)
    # The engine leaves down what was killed through it: no restart is told before the removal.
    lab.engine.remove(name)
    assert actions(until(stream, "destroy")) == ["destroy"]


def test_a_main_program_that_ends_by_itself(lab: Lab, stream: EventStream) -> None:
    lab.start("a", "false")
    told = until(stream, "die")
    assert actions(told) == ["create", "start", "die"]
    assert told[-1].exit_code == 1


def test_a_forced_removal_is_told_as_a_death_first(lab: Lab, stream: EventStream) -> None:
    name = lab.start("a")
    lab.engine.remove(name, force=True)
    assert actions(until(stream, "destroy")) == ["create", "start", "kill", "die", "destroy"]


def test_a_health_check_is_told_when_its_result_changes(lab: Lab, stream: EventStream) -> None:
    check = HealthCheck(("true",), interval=1.0, timeout=10.0, retries=30, start_period=0.0)
    lab.start("a", health=check)
    told = until(stream, "health_status")
    # The commands that health checks run are not told.
    assert actions(told) == ["create", "start", "health_status"]
    assert told[-1].detail == "healthy"


def test_networks_and_volumes_are_told_to_whoever_asks_for_no_labels(lab: Lab) -> None:
    with closing(lab.engine.events({})) as stream:
        volume, network = lab.volume("v"), lab.network()
        name = lab.start("a", network=network)
        own = (e for e in stream if e.name in {volume, network, name})
        made = [next(own) for _ in range(5)]
        lab.engine.disconnect(network, name)
        left = next(own)
    assert [(e.kind, e.action, e.name) for e in made] == [
        ("volume", "create", volume),
        ("network", "create", network),
        ("container", "create", name),
        ("network", "connect", network),
        ("container", "start", name),
    ]
    assert (left.action, left.detail) == ("disconnect", lab.inspect(name).id)


def test_closing_ends_an_iteration_that_waits_in_another_thread(lab: Lab) -> None:
    stream = lab.engine.events(lab.labels)
    lab.create("a")
    first, told = threading.Event(), []

    def read() -> None:
        for event in stream:
            told.append(event.action)
            first.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    assert first.wait(30)
    stream.close()
    reader.join(timeout=30)
    assert not reader.is_alive()
    assert told == ["create"]
    stream.close()


def test_what_is_closed_is_at_its_end(lab: Lab) -> None:
    stream = lab.engine.events(lab.labels)
    lab.create("a")
    stream.close()
    assert list(stream) == []


def test_several_streams_are_told_the_same(lab: Lab, stream: EventStream) -> None:
    with closing(lab.engine.clone().events(lab.labels)) as other:
        lab.create("a")
        assert until(other, "create") == until(stream, "create")
