"""Redis' file cut off anywhere, as by a full disk or a power cut: it holds whole calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from jobctl.queue import Finish, Keep, Retention, Status
from tests.support.leaks import leaks
from tests.support.queue_lab import FAILED, OK, Lab
from tests.support.redis_server import RedisServer

Statuses = dict[str, tuple[Status, int]]


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def own(own_server: RedisServer) -> Iterator[Lab]:
    with Lab(own_server, "torn") as lab:
        yield lab


def a_day(lab: Lab) -> Iterator[Callable[[], object]]:
    """Calls that write a lot at once, one after the other."""
    queue = lab.queue
    ids: list[str] = []
    yield lambda: ids.extend(lab.submit(3, concurrency_key="gpu", concurrency_limit=2))
    yield lambda: ids.extend(lab.submit(2, after=(ids[0],), name="child"))
    yield lambda: lab.worker("inc-1")
    leases: list[tuple[str, int]] = []
    yield lambda: leases.extend(lab.claim("inc-1", 3))
    yield lambda: queue.start("inc-1", leases)
    yield lambda: queue.finish("inc-1", [Finish(*leases[0], FAILED), Finish(*leases[1], OK)])
    yield lambda: queue.retry(ids[0])
    yield lambda: queue.prune(Retention(cancelled=Keep(count=0)), 10)
    yield lambda: queue.release("inc-1")


def statuses(lab: Lab) -> Statuses:
    return {job.id: (job.status, job.attempt) for job in lab.queue.list(limit=500).jobs}


def test_a_file_cut_anywhere_holds_whole_calls(own_server: RedisServer, own: Lab) -> None:
    file = own_server.folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    known: list[tuple[int, Statuses]] = [(file.stat().st_size, {})]
    for call in a_day(own):
        call()
        known.append((file.stat().st_size, statuses(own)))
    own_server.stop()
    whole = file.read_bytes()
    ends = [size for size, _ in known]
    assert ends[-1] == len(whole)
    middles = [(a + b) // 2 for a, b in pairwise(ends)]
    for cut in sorted({*ends, *middles, *(end - 1 for end in ends[1:])}):
        file.write_bytes(whole[:cut])
        own_server.start()
        assert statuses(own) == next(found for size, found in reversed(known) if size <= cut)
        assert leaks(own.redis, own.project) == []
        # And it goes on from there.
        own.worker("inc-2", "worker-2")
        own.submit()
        assert own.claim("inc-2")
        own_server.stop()
    own_server.start()
