"""A master, a played worker that leaves files behind, and who asks for them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.redis_server import RedisServer
from tests.support.running_master import TOKEN, PlayedWorker, RunningMaster, running_master


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMaster]:
    with (
        RedisServer() as redis,
        running_master(redis, tmp_path_factory.mktemp("master"), read_block=64) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def http(master: RunningMaster) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=master.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def worker(master: RunningMaster) -> Iterator[PlayedWorker]:
    played = PlayedWorker(master)
    yield played
    played.queue.deregister(played.incarnation)
