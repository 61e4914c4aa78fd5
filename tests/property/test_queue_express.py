"""A plain function that comes while a worker waits: the short way does what the long one does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from jobctl.queue import (
    ClaimedJob,
    Finish,
    JobSpec,
    Queue,
    QueueClosed,
    QueueRates,
    Rate,
    RateLimited,
    Status,
    new_id,
)
from tests.support.queue_lab import LEASE, OK, Lab

SHORT = 0.01
A_RATE = QueueRates(start=Rate(1000, 1000))


def _plain(args: str = "[1]") -> JobSpec:
    return JobSpec(id=new_id(), function="pkg:f", args=args)


def _waits(lab: Lab, incarnation: str = "inc-1", name: str = "worker-1") -> None:
    lab.worker(incarnation, name)
    assert lab.queue.wait_jobs(incarnation, 2, ["default", f"@{name}"], SHORT) is None


def _handed(lab: Lab, incarnation: str = "inc-1") -> list[ClaimedJob]:
    claims = lab.queue.wait_jobs(incarnation, 0, ["nothing"], SHORT)
    return [] if claims is None else claims.jobs


def _went_short(lab: Lab) -> bool:
    """Whether no job was ever given a place in a queue."""
    return not lab.redis.hexists(f"{lab.prefix}meta", "tail")


def _left(lab: Lab, spec: JobSpec) -> dict[str, str]:
    """What a submit left in Redis and says of its job, but for ids and instants."""
    (handed,) = _handed(lab)
    found: dict[str, Any] = {
        "handed": (handed.id, handed.queue, handed.function, handed.args, handed.attempt),
        "plain": handed.plain,
        "job": lab.queue.get(spec.id),
        "hash": sorted(lab.redis.hgetall(f"{lab.prefix}job:{spec.id}").items()),  # type: ignore[union-attr]
        "held": sorted(lab.redis.hgetall(f"{lab.prefix}held:inc-1").items()),  # type: ignore[union-attr]
        "event": lab.redis.xrevrange(f"{lab.prefix}events", count=1)[0][1],  # type: ignore[index]
    }
    return {
        name: re.sub(r"\d{13}", "AT", str(said).replace(spec.id, "ID"))
        for name, said in found.items()
    }


@pytest.mark.parametrize("args", ["", "[]", '{"a":"\\u00e4 \\"b\\"  c","d":"é"}'])
def test_it_leaves_what_the_long_way_leaves(lab: Lab, queue: Queue, args: str) -> None:
    first, second = _plain(args), _plain(args)
    _waits(lab)
    (said,) = queue.submit([first])
    assert _went_short(lab)
    short = _left(lab, first)
    queue.finish("inc-1", [Finish(first.id, 1, OK)])
    queue.configure(LEASE, queues={"other": A_RATE})
    _waits(lab)
    (said_too,) = queue.submit([second])
    assert not _went_short(lab)
    assert short == _left(lab, second)
    assert (said.created, said_too.created) == (True, True)
    now = lab.now_ms()
    assert all(now - 60_000 < (answer.queued_at or 0) <= now for answer in (said, said_too))


def test_who_was_handed_it_waits_no_more_for_any_queue(lab: Lab) -> None:
    _waits(lab)
    lab.queue.submit([_plain()])
    assert not list(lab.redis.scan_iter(f"{lab.prefix}waiting:*"))
    worker = lab.redis.hgetall(f"{lab.prefix}worker:inc-1")
    assert not {"room", "waits_for", "awake_until"} & set(worker)  # type: ignore[arg-type]


def test_a_repeated_submit_changes_nothing(lab: Lab, queue: Queue) -> None:
    spec = _plain()
    _waits(lab)
    queue.submit([spec])
    _waits(lab, "inc-2", "worker-2")
    (again,) = queue.submit([spec])
    assert not again.created
    assert [job.id for job in _handed(lab)] == [spec.id]
    assert _handed(lab, "inc-2") == []


def test_its_end_is_accepted_once(lab: Lab, queue: Queue) -> None:
    spec = _plain()
    _waits(lab)
    queue.submit([spec])
    assert queue.finish("inc-1", [Finish(spec.id, 2, OK)])[0] == ["stale"]
    assert queue.finish("inc-1", [Finish(spec.id, 1, OK)])[0] == ["ok"]
    job = queue.get(spec.id)
    assert (job.status, job.accepted, job.worker) == (Status.SUCCEEDED, 1, "worker-1")
    _handed(lab)


def test_who_may_be_paused_is_passed_over(lab: Lab, queue: Queue) -> None:
    _waits(lab)
    lab.silence("inc-1", 0.6)
    _waits(lab, "inc-2", "worker-2")
    spec = _plain()
    queue.submit([spec])
    assert [job.id for job in _handed(lab, "inc-2")] == [spec.id]
    assert _handed(lab) == []


def _paused(lab: Lab) -> None:
    lab.queue.pause("default")


def _rated(lab: Lab) -> None:
    lab.queue.configure(LEASE, queues={"default": QueueRates(start=Rate(0.001, 1))})
    lab.queue.submit([_plain()])
    assert len(_handed(lab)) == 1
    lab.queue.wait_jobs("inc-1", 2, ["default"], SHORT)


@pytest.mark.parametrize("held_up", [_paused, _rated])
def test_what_may_not_start_is_not_handed_over(
    lab: Lab, queue: Queue, held_up: Callable[[Lab], None]
) -> None:
    _waits(lab)
    held_up(lab)
    spec = _plain()
    queue.submit([spec])
    assert queue.get(spec.id).status is Status.QUEUED
    assert _handed(lab) == []


def test_what_may_not_come_in_does_not(lab: Lab, queue: Queue) -> None:
    _waits(lab)
    queue.drain_queue("default")
    with pytest.raises(QueueClosed):
        queue.submit([_plain()])
    queue.resume("default")
    queue.configure(LEASE, client_rate=Rate(0.001, 1))
    queue.submit([_plain()], client="somebody")
    with pytest.raises(RateLimited):
        queue.submit([_plain()], client="somebody")
    assert len(_handed(lab)) == 1


def test_what_came_before_goes_before(lab: Lab, queue: Queue) -> None:
    """It was paused, and nobody has looked since: whoever waits gets the older one."""
    queue.pause("default")
    first, second = _plain(), _plain()
    queue.submit([first])
    _waits(lab)
    lab.redis.delete(f"{lab.prefix}queues-state")
    queue.submit([second])
    assert [job.id for job in _handed(lab)] == [first.id, second.id]
