"""A master over a real Redis, and who talks to it: over HTTP, or through the client."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jobctl.client import Client
from tests.support.redis_server import RedisServer
from tests.support.running_master import TOKEN, RunningMaster, running_master


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def master(redis: RedisServer, tmp_path: Path) -> Iterator[RunningMaster]:
    with running_master(redis, tmp_path) as running:
        yield running


@pytest.fixture
def http(master: RunningMaster) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=master.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def shared(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A master for requests that leave nothing behind."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with (
        running_master(redis, tmp_path_factory.mktemp("shared")) as master,
        httpx.Client(base_url=master.url, headers=headers, trust_env=False) as client,
    ):
        yield client


@pytest.fixture
def client(master: RunningMaster) -> Iterator[Client]:
    with master.client() as made:
        yield made
