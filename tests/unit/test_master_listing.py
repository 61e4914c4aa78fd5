"""A page of a listing that is filtered by cause: how many jobs it is looked for among."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jobctl.master.routes import jobs
from jobctl.queue import AsyncQueue, Cause, Page


class EndlessQueue:
    """So many failed jobs that none saw their end; every ``rare``-th of them for memory."""

    def __init__(self, rare: int) -> None:
        self.rare = rare
        self.looked_at = 0

    async def list(self, status: Any, name: Any, size: int, cursor: Any, array: Any) -> Page:
        found = []
        for _ in range(size):
            self.looked_at += 1
            cause = Cause.OOM if self.looked_at % self.rare == 0 else Cause.EXIT
            found.append(SimpleNamespace(id=str(self.looked_at), cause=cause))
        return Page(cast("Any", found), str(self.looked_at))


def page(queue: EndlessQueue, most: int, **filters: Any) -> Page:
    wanted = jobs._Filters(**filters)
    return asyncio.run(jobs._page(cast("AsyncQueue", queue), wanted, most))


@pytest.mark.parametrize("most", [50, 500, 1000])
def test_no_page_looks_at_more_than_a_thousand(most: int) -> None:
    queue = EndlessQueue(rare=10**9)
    found = page(queue, most, cause="oom")
    # It is empty, and where it ended the next one goes on.
    assert (found.jobs, found.cursor, queue.looked_at) == ([], "1000", 1000)


def test_it_ends_when_it_is_full() -> None:
    queue = EndlessQueue(rare=100)
    found = page(queue, 500, cause="oom", limit=5)
    assert ([job.id for job in found.jobs], found.cursor) == (
        ["100", "200", "300", "400", "500"],
        "500",
    )
    assert queue.looked_at == 500


def test_without_a_cause_it_looks_at_what_it_shows() -> None:
    queue = EndlessQueue(rare=1)
    assert len(page(queue, 500, limit=5).jobs) == 5
    assert queue.looked_at == 5
