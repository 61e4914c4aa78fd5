"""A real Redis for the whole tier; each test gets a project of its own on it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

from jobctl.queue import Queue
from tests.support.leaks import leaks
from tests.support.queue_lab import Lab
from tests.support.redis_server import RedisServer

# Fixed size: the tier takes about the same time everywhere and fails the same way twice.
_FULL = os.environ.get("JOBCTL_TEST_SIZE") == "full"
settings.register_profile(
    "queue",
    max_examples=1500 if _FULL else 120,
    stateful_step_count=80 if _FULL else 40,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("queue")

_projects = itertools.count(1)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def lab(redis_server: RedisServer) -> Iterator[Lab]:
    """A queue with a lease of a minute, and the means to move its clocks."""
    with Lab(redis_server, f"test-{next(_projects)}") as lab:
        yield lab
        assert leaks(lab.redis, lab.project) == []


@pytest.fixture
def queue(lab: Lab) -> Queue:
    return lab.queue
