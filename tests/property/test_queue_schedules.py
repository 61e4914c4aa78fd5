"""Cron schedules fire each tick exactly once, whoever is alive and however often it is tried."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobctl.queue import JobSpec, Queue, QueueClosed, Status, Submitted, connect
from tests.support.flows import spec, statuses
from tests.support.queue_lab import Lab


def fired(done: Submitted | None) -> tuple[str, bool] | None:
    return done and (done.id, done.created)


def test_a_tick_fires_once(lab: Lab, queue: Queue) -> None:
    first, again, later = spec(), spec(), spec()
    assert fired(queue.fire("nightly", 1000, first)) == (first.id, True)
    assert queue.fire("nightly", 1000, again) is None
    assert queue.fire("nightly", 999, again) is None
    assert fired(queue.fire("hourly", 1000, again)) == (again.id, True)
    assert fired(queue.fire("nightly", 2000, later)) == (later.id, True)
    assert queue.schedules() == {"nightly": 2000, "hourly": 1000}
    assert statuses(lab, first.id, again.id, later.id) == [Status.QUEUED] * 3


def test_of_many_masters_one_fires(lab: Lab, queue: Queue) -> None:
    def fire(job: JobSpec) -> Submitted | None:
        own = connect("", project=lab.project, unix_socket_path=lab.server.socket)
        try:
            return own.fire("nightly", 1000, job)
        finally:
            own.close()

    with ThreadPoolExecutor(8) as pool:
        done = [one for one in pool.map(fire, [spec() for _ in range(24)]) if one]
    assert len(done) == 1
    assert queue.counts()[Status.QUEUED] == 1


def test_a_refused_tick_is_not_lost(lab: Lab, queue: Queue) -> None:
    queue.drain_queue("default")
    job = spec()
    with pytest.raises(QueueClosed):
        queue.fire("nightly", 1000, job)
    assert queue.schedules() == {}
    queue.resume("default")
    assert fired(queue.fire("nightly", 1000, job)) == (job.id, True)


def test_only_the_schedules_there_are_are_remembered(lab: Lab, queue: Queue) -> None:
    for name in ("nightly", "hourly", "yearly"):
        queue.fire(name, 1000, None)
    queue.keep_schedules(["hourly", "new"])
    assert queue.schedules() == {"hourly": 1000}
    queue.keep_schedules([])
    assert queue.schedules() == {}


def test_a_schedules_job_may_have_a_key(lab: Lab, queue: Queue) -> None:
    first = spec(key="only one")
    queue.fire("nightly", 1000, first)
    assert fired(queue.fire("nightly", 2000, spec(key="only one"))) == (first.id, False)
