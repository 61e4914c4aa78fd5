"""The counting proxy: transparent, and it counts every mutation once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.engine import open_engine
from jobctl.engine.protocol import Engine
from tests.support.engine_lab import Lab, files_in, tar_of
from tests.support.engine_proxy import EngineProxy, Request, engine_proxy


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[EngineProxy]:
    with engine_proxy(tmp_path) as running:
        yield running


@pytest.fixture
def engine(proxy: EngineProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Open the engine through the proxy, the way any command would."""
    monkeypatch.setenv("DOCKER_HOST", proxy.url)
    engine = open_engine()
    yield engine
    engine.close()


def test_looking_is_not_a_mutation(docker_lab: Lab, proxy: EngineProxy, engine: Engine) -> None:
    name = docker_lab.create("a")
    engine.info()
    engine.containers(docker_lab.labels)
    engine.networks(docker_lab.labels)
    engine.volumes(docker_lab.labels)
    assert engine.inspect(name) is not None
    assert engine.image(docker_lab.image) is not None
    assert proxy.mutations == []
    assert Request("GET", f"/containers/{name}/json") in proxy.requests


def test_every_mutation_counts_once(docker_lab: Lab, proxy: EngineProxy, engine: Engine) -> None:
    spec = docker_lab.spec("a", read_only=False)
    name = spec.name
    engine.create(spec)
    engine.put_archive(name, "/work", tar_of({"big": b"x" * 1_000_000}))
    engine.start(name)
    engine.start(name)
    engine.remove(name, force=True)
    assert proxy.mutations == [
        Request("POST", "/containers/create"),
        Request("PUT", f"/containers/{name}/archive"),
        Request("POST", f"/containers/{name}/start"),
        Request("POST", f"/containers/{name}/start"),
        Request("DELETE", f"/containers/{name}"),
    ]
    proxy.clear()
    assert proxy.requests == []


def test_streams_pass_through(docker_lab: Lab, engine: Engine) -> None:
    name = docker_lab.start("a", "sh", "-c", "echo early; sleep 1000", read_only=False)
    stream = engine.clone().logs(name, follow=True)
    assert next(stream) == b"early\n"
    engine.put_archive(name, "/work", tar_of({"big": b"x" * 1_000_000}))
    assert files_in(engine.get_archive(name, "/work/big")) == {"big": b"x" * 1_000_000}
    assert engine.execute(name, ("sh", "-c", "echo in; exit 3")).output == b"in\n"
    engine.stop(name, 5)
    assert list(stream) == []
