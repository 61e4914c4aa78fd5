"""What a page of a listing costs: the same however many jobs have ended.

Compared are the commands that Redis ran for it. Each of them reads one job, or a page's length of
an index; none walks through keys. What it costs in time: `./script/bench queue listing`.
"""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterator

import pytest

from jobctl.queue import Cause, Finish, JobSpec, Outcome, Queue, Status, new_id
from tests.support.queue_lab import FAILED, OK, Lab
from tests.support.redis_server import RedisServer

FEW = 1_000
MANY = 1_000_000 if os.environ.get("JOBCTL_TEST_SIZE") == "full" else 8_000
BATCH = 250
PAGE = 50
END = "that-was-the-page"
INDEX = "zrevrangebylex"
LOOK = 1_000
READS = {"fcall", "time", "hget", "hmget", "hgetall", "zrange", INDEX}
STARVED = Outcome(False, Cause.OOM)
ENDS = {"odd": FAILED, "even": OK, "starved": STARVED}
LISTINGS = {
    "all": {},
    "by status": {"status": Status.SUCCEEDED},
    "by name": {"name": "even"},
    "by status and name": {"status": Status.FAILED, "name": "odd"},
    "by cause": {"cause": Cause.OOM},
    "that nothing fits": {"status": Status.CANCELLED, "name": "odd"},
}


@pytest.fixture
def crowded(redis_server: RedisServer) -> Iterator[Lab]:
    """A queue that is looked at after ``fill``; who owns its keys is asked elsewhere."""
    with Lab(redis_server, "crowded") as lab:
        lab.worker("inc-1")
        yield lab


def fill(lab: Lab, jobs: int) -> list[str]:
    """Let so many jobs of three names end, and return their ids."""
    ids: list[str] = []
    for _ in range(jobs // BATCH):
        names = itertools.islice(itertools.cycle(ENDS), BATCH)
        specs = [JobSpec(id=new_id(), function="tasks:noop", name=name) for name in names]
        lab.queue.submit(specs)
        claimed = lab.queue.claim("inc-1", BATCH, ["default"]).jobs
        ends = [Finish(job.id, job.attempt, ENDS[job.name]) for job in claimed]
        lab.queue.finish("inc-1", ends)
        ids += [spec.id for spec in specs]
    return ids


def page(lab: Lab, queue: Queue, cursor: str | None, listing: str) -> list[list[str]]:
    """Return the commands that Redis ran for a page, each with its words."""
    with lab.redis.monitor() as watch:  # type: ignore[no-untyped-call]
        queue.list(**LISTINGS[listing], limit=PAGE, cursor=cursor)  # type: ignore[arg-type]
        lab.redis.echo(END)
        said = itertools.takewhile(lambda words: END not in words, map(words_of, watch.listen()))
        return list(said)


def words_of(told: dict[str, str]) -> list[str]:
    return shlex.split(told["command"])


def cost(ran: list[list[str]]) -> list[tuple[str, str]]:
    """Return each command with what limits it: its last word, where it reads an index."""
    return [(words[0].lower(), words[-1] if "LIMIT" in words else "") for words in ran]


def test_a_page_costs_the_same_however_many_jobs_have_ended(crowded: Lab) -> None:
    queue = crowded.queue
    middle = fill(crowded, FEW)[FEW // 2]
    places = [(listing, cursor) for listing in LISTINGS for cursor in (None, middle)]
    few = [cost(page(crowded, queue, cursor, listing)) for listing, cursor in places]
    fill(crowded, MANY - FEW)
    many = [cost(page(crowded, queue, cursor, listing)) for listing, cursor in places]
    assert queue.counts()[Status.SUCCEEDED] > MANY // 4
    assert many == few
    # One job, one clock, the few that workers hold; of an index no more than a page and the next,
    # or what is looked at for a cause.
    assert {name for ran in many for name, _ in ran} <= READS
    limits = {most for ran in many for name, most in ran if name == INDEX}
    assert limits == {str(PAGE + 1), str(LOOK + 1)}
    # A page was read at all: a cost that is always nothing would prove nothing.
    assert sum(name == "hgetall" for name, _ in many[0]) >= PAGE


@pytest.mark.parametrize("status", [None, Status.FAILED, Status.SUCCEEDED])
@pytest.mark.parametrize("limit", [7, 500])
def test_pages_of_a_cause_hold_all_that_ended_so(
    crowded: Lab, status: Status | None, limit: int
) -> None:
    """Also when a page comes to nothing: thousands of another cause lie between two."""
    starved = [crowded_by(crowded, "starved") for _ in range(2)]
    fill(crowded, FEW)
    for _ in range(6):
        crowded_by(crowded, "odd")
    starved.append(crowded_by(crowded, "starved"))
    wanted = {id_ for ids in starved for id_ in ids}
    found, cursor, short = [], None, False
    while True:
        got = crowded.queue.list(status, limit=limit, cursor=cursor, cause=Cause.OOM)
        assert len(got.jobs) <= limit
        assert {job.cause for job in got.jobs} <= {Cause.OOM}
        found += [job.id for job in got.jobs]
        cursor = got.cursor
        if cursor is None:
            break
        short |= len(got.jobs) < limit
    if status is Status.SUCCEEDED:
        assert found == []
        return
    assert short
    assert found == sorted(found, reverse=True)
    assert wanted < set(found)
    assert len(found) == len(set(found)) == 3 * BATCH + FEW // BATCH * (BATCH // len(ENDS))


def crowded_by(lab: Lab, name: str) -> list[str]:
    """Let a batch of one kind end."""
    specs = [JobSpec(id=new_id(), function="tasks:noop", name=name) for _ in range(BATCH)]
    lab.queue.submit(specs)
    claimed = lab.queue.claim("inc-1", BATCH, ["default"]).jobs
    lab.queue.finish("inc-1", [Finish(job.id, job.attempt, ENDS[name]) for job in claimed])
    return [spec.id for spec in specs]
