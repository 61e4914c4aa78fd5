"""The engine's events, each once, whatever becomes of the connection."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jobctl.control.feed import Feed
from jobctl.control.troubles import Troubles
from jobctl.engine.model import EngineEvent
from tests.support.engine_lab import Lab
from tests.support.eventually import eventually
from tests.support.memory_engine import MemoryEngine
from tests.support.memory_world import World


@contextmanager
def listening(
    lab: Lab, last: float, heard: list[EngineEvent], connected: threading.Event
) -> Iterator[Feed]:
    troubles = Troubles(lambda *_event, **_facts: None, lambda: 0.0)
    feed = Feed(
        lab.engine, "demo", troubles, last=last, connected=connected.set, heard=heard.append
    )
    feed.start()
    try:
        assert connected.wait(30)
        yield feed
    finally:
        feed.stop()


def test_a_cut_connection_neither_loses_nor_repeats_what_was_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobctl.control.feed._AGAIN", 0.02)
    # All at one instant: nothing but the events themselves tells them apart.
    world = World(clock=lambda: 1000.0)
    world.add_image("any")
    marks = {"jobctl.project": "demo", "com.docker.compose.project": "demo"}
    lab = Lab(MemoryEngine(world), "any")
    heard: list[EngineEvent] = []
    with listening(lab, 0.0, heard, threading.Event()) as feed:
        name = lab.start("a", labels=marks)
        eventually(lambda: len(heard) == 2)
        world.cut_events()
        lab.engine.pause(name)
        eventually(lambda: len(heard) == 3)
        eventually(lambda: world.subscriptions)
        world.cut_events()
        lab.engine.unpause(name)
        eventually(lambda: len(heard) == 4)
        last = feed.last
    assert [event.action for event in heard] == ["create", "start", "pause", "unpause"]
    # Who begins anew knows when the last was, and asks for what came later.
    again: list[EngineEvent] = []
    with listening(lab, last - 1, again, threading.Event()):
        assert [event.action for event in again] == ["create", "start", "pause", "unpause"]
    with listening(lab, last, again, threading.Event()):
        assert len(again) == 4
