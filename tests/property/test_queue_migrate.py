"""A queue that schema 1 left behind, with jobs in every status, is taken over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from jobctl.queue import (
    Finish,
    Queue,
    Status,
    Unavailable,
    Verdict,
)
from tests.support.leaks import leaks
from tests.support.queue_lab import OK, Lab
from tests.support.redis_server import RedisServer
from tests.support.schema_one import SchemaOne


@pytest.fixture
def own() -> Iterator[Lab]:
    """A Redis of its own: libraries are the server's, not the project's."""
    with RedisServer() as server, Lab(server, "old") as lab:
        lab.redis.flushall()
        yield lab
        if lab.redis.hget(f"{lab.prefix}meta", "schema") != "1":
            assert leaks(lab.redis, lab.project) == []


@pytest.fixture
def jobs(own: Lab) -> dict[str, str]:
    """A job of schema 1 in each status there was, and their ids."""
    old = SchemaOne(own.redis, own.prefix)
    old.register("worker-1", "inc-1")
    ids: dict[str, str] = {}

    def claimed(status: str, name: str = "", **fields: object) -> tuple[str, str]:
        ids[status] = old.submit(name, **fields)
        lease = old.claim("inc-1")
        assert lease[0] == ids[status]
        return lease

    old.finish("inc-1", claimed("succeeded", "named"))
    old.finish("inc-1", claimed("failed"), "exit")
    old.finish("inc-1", claimed("scheduled", max_attempts=3, backoff_cap=1000), "exit")
    claimed("claimed")
    old.start("inc-1", claimed("running", "named"))
    stopping = claimed("stopping")
    old.start("inc-1", stopping)
    old.call("cancel", stopping[0])
    ids["cancelled"] = old.submit()
    old.call("cancel", ids["cancelled"])
    ids["queued"] = old.submit("named")
    ids["last"] = old.submit()
    return ids


def take_over(lab: Lab) -> Queue:
    """What the master does when it starts."""
    lab.queue.ensure_library(replace=True)
    assert lab.queue.migrate() == 3
    return lab.queue


def test_before_it_is_taken_over_nothing_may_touch_it(own: Lab, jobs: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match="schema 1"):
        own.submit()
    with pytest.raises(Unavailable):
        own.queue.get(jobs["queued"])
    assert own.redis.hget(f"{own.prefix}meta", "schema") == "1"


def test_every_job_is_where_it_was(own: Lab, jobs: dict[str, str]) -> None:
    queue = take_over(own)
    found = {name: queue.get(job_id).status for name, job_id in jobs.items()}
    assert found == {
        **{status: status for status in jobs if status not in ("stopping", "last")},
        "stopping": "running",
        "last": "queued",
    }
    assert queue.counts()[Status.CLAIMED] == 1
    assert [j.id for j in queue.list(Status.CLAIMED).jobs] == [jobs["claimed"]]
    assert {j.id for j in queue.list(name="named").jobs} == {
        jobs[status] for status in ("succeeded", "running", "queued")
    }
    assert queue.get(jobs["succeeded"]).accepted == 1
    (worker,) = queue.workers()
    assert set(worker.jobs) == {jobs[name] for name in ("claimed", "running", "stopping")}
    # Taken over again, nothing happens.
    assert queue.migrate() == 0


def test_old_workers_end_and_their_jobs_come_back(own: Lab, jobs: dict[str, str]) -> None:
    queue = take_over(own)
    old = redis.ResponseError
    with pytest.raises(old, match="Function not found"):
        own.redis.execute_command("FCALL", "jobctl1_claim", 1, own.prefix, "inc-1", 1, 0)  # type: ignore[no-untyped-call]
    own.worker("inc-2")
    held = {name: queue.get(jobs[name]) for name in ("claimed", "running", "stopping")}
    assert {name: job.status for name, job in held.items()} == {
        "claimed": "queued",
        "running": "queued",
        "stopping": "cancelled",
    }
    # Each whose worker was lost comes alone.
    for together in (["claimed"], ["running"], ["queued", "last"]):
        leases = own.claim("inc-2", 9)
        assert [job_id for job_id, _ in leases] == [jobs[name] for name in together]
        verdicts, _ = queue.finish("inc-2", [Finish(*lease, OK) for lease in leases])
        assert verdicts == [Verdict.OK] * len(together)
    queue.retry(jobs["succeeded"])
    (again,) = own.claim("inc-2")
    assert queue.finish("inc-2", [Finish(*again, OK)])[0] == [Verdict.OK]
    assert len(queue.list(Status.SUCCEEDED, name="named").jobs) == 3


def test_jobs_whose_worker_never_returns_are_swept_after_one_full_lease(
    own: Lab, jobs: dict[str, str]
) -> None:
    queue = take_over(own)
    own.end_grace()
    assert queue.tick().moved == 0
    own.expire("inc-1")
    assert queue.tick().moved == 3
    assert queue.get(jobs["running"]).status is Status.QUEUED


def test_an_old_worker_that_still_has_the_functions_is_refused(
    own: Lab, jobs: dict[str, str]
) -> None:
    take_over(own)
    # As if it had loaded its library anew.
    old = SchemaOne(own.redis, own.prefix)
    with pytest.raises(redis.ResponseError, match="NEWERSCHEMA 2"):
        old.call("renew", "inc-1", jobs["running"], 1)


def test_a_finish_that_old_and_new_both_sent_counts_once(own: Lab, jobs: dict[str, str]) -> None:
    queue = take_over(own)
    assert queue.finish("inc-1", [Finish(jobs["succeeded"], 1, OK)])[0] == [Verdict.OK]
    assert queue.finish("inc-1", [Finish(jobs["running"], 1, OK)])[0] == [Verdict.OK]
    assert queue.finish("inc-1", [Finish(jobs["running"], 1, OK)])[0] == [Verdict.OK]
    assert queue.get(jobs["running"]).status is Status.SUCCEEDED
    assert jobs["running"] in {j.id for j in queue.list(Status.SUCCEEDED, name="named").jobs}
