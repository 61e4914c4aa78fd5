"""One suite, two engines: what holds for the real engine holds for the one in memory."""

from collections.abc import Iterator

import pytest

from jobctl.engine import open_engine
from jobctl.engine.protocol import Engine
from tests.support.engine_lab import Lab, lab_of
from tests.support.memory_engine import MemoryEngine
from tests.support.tiny_image import ensure_tiny_image


def _memory() -> tuple[Engine, str]:
    engine = MemoryEngine()
    engine.world.add_image("tiny:1")
    return engine, "tiny:1"


def _docker() -> tuple[Engine, str]:
    engine = open_engine()  # no engine is a failure here, never a skip
    return engine, ensure_tiny_image(engine)


@pytest.fixture(scope="session")
def docker_network() -> Iterator[str]:
    """A network of the real engine for whoever does not look at it: to make one takes long."""
    engine, image = _docker()
    with lab_of(engine, image) as lab:
        yield lab.network()
    engine.close()


@pytest.fixture
def common(docker_network: str) -> str:
    """The network of a test's containers; "": one of its own."""
    return docker_network


@pytest.fixture(params=[_memory, _docker], ids=["memory", "docker"])
def lab(request: pytest.FixtureRequest, common: str) -> Iterator[Lab]:
    """Lend a corner of each engine in turn."""
    engine, image = request.param()
    with lab_of(engine, image, common if request.param is _docker else "") as lab:
        yield lab
    engine.close()


@pytest.fixture
def docker_lab(common: str) -> Iterator[Lab]:
    """Lend a corner of the real engine, for what only it can show."""
    engine, image = _docker()
    with lab_of(engine, image, common) as lab:
        yield lab
    engine.close()
