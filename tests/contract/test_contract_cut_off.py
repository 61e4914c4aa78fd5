"""A connection that drops under a stream of events is an end, and a new one goes on."""

from contextlib import closing
from pathlib import Path

import pytest

from jobctl.engine import open_engine
from jobctl.engine.errors import EngineUnreachable
from tests.support.engine_lab import Lab, lab_of
from tests.support.engine_proxy import engine_proxy
from tests.support.memory_engine import MemoryEngine


def test_a_dropped_connection_is_an_end(
    docker_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine_proxy(tmp_path) as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.url)
        with closing(open_engine()) as engine:
            stream = engine.events(docker_lab.labels)
            name = docker_lab.create("a")
            assert next(iter(stream)).name == name
            proxy.cut()
            assert list(stream) == []
            with closing(engine.events(docker_lab.labels)) as again:
                docker_lab.engine.remove(name)
                assert next(iter(again)).action == "destroy"
            proxy.cut()
    with pytest.raises(EngineUnreachable):
        engine.events(docker_lab.labels)


def test_the_engine_in_memory_drops_connections_and_events_when_told_to() -> None:
    engine = MemoryEngine()
    engine.world.add_image("tiny:1")
    with lab_of(engine, "tiny:1") as lab:
        stream = engine.events(lab.labels)
        name = lab.create("a")
        engine.world.drops_events = True
        engine.start(name)
        engine.world.drops_events = False
        engine.kill(name)
        told = iter(stream)
        assert [next(told).action for _ in range(3)] == ["create", "kill", "die"]
        assert engine.world.subscriptions == 1
        engine.world.cut_events()
        assert list(stream) == []
        assert engine.world.subscriptions == 0
