"""What a job takes in Redis, as docs/queue.md states it: how many of them fit is counted on."""

from __future__ import annotations

import pytest

from jobctl.queue import Finish, JobSpec, Status, new_id
from tests.support.queue_lab import OK, Lab
from tests.support.redis_server import RedisServer

JOBS = 10_000
BATCH = 250
ARGS = '{"text": "%s"}' % ("x" * 88)
QUEUED, ENDED = 650, 600
"""Bytes a job, as stated; a little more would be as wrong as much more."""

COMPACT = (
    *("--hash-max-listpack-value", "1024"),
    *("--hash-max-listpack-entries", "128"),
)
"""As a cluster's Redis is started."""


def test_a_queued_and_an_ended_job_take_what_is_stated() -> None:
    with RedisServer(*COMPACT) as server, Lab(server, "weighed") as lab:
        lab.worker("inc-1")
        empty = used(lab)
        for _ in range(JOBS // BATCH):
            lab.queue.submit(
                [JobSpec(id=new_id(), function="tasks:noop", args=ARGS) for _ in range(BATCH)]
            )
        queued = (used(lab) - empty) / JOBS
        for _ in range(JOBS // BATCH):
            claimed = lab.queue.claim("inc-1", BATCH, ["default"]).jobs
            lab.queue.finish("inc-1", [Finish(job.id, job.attempt, OK) for job in claimed])
        assert lab.queue.counts()[Status.SUCCEEDED] == JOBS
        ended = (used(lab) - empty) / JOBS
    assert queued == pytest.approx(QUEUED, rel=0.1)
    assert ended == pytest.approx(ENDED, rel=0.1)


def used(lab: Lab) -> int:
    """Return the bytes of Redis' data, without the events: these are capped, whatever the jobs."""
    memory: dict[str, int] = lab.redis.info("memory")  # type: ignore[assignment]
    events = lab.redis.memory_usage(f"{lab.prefix}events", samples=0)
    assert isinstance(events, int | None)
    return memory["used_memory"] - (events or 0)
