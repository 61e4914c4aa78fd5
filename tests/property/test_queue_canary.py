"""A canary: a small job that shows whether one worker, and no other, can run anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobctl.queue import (
    Cause,
    Finish,
    InvalidSpec,
    JobSpec,
    MessageKind,
    Queue,
    Status,
    UnknownWorker,
    WorkerInfo,
    WorkerStatus,
    new_id,
    own_queue,
)
from jobctl.queue.backup import BackupReader, BackupWriter
from tests.support.queue_lab import OK, Lab

OWN = own_queue("worker-1")


def test_only_its_worker_gets_it(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    lab.worker("inc-2", "worker-2")
    job = queue.canary("worker-1")
    assert queue.claim("inc-2", 9, ["default", own_queue("worker-2")]).jobs == []
    assert queue.facts(job).serving == ("worker-1",)
    assert queue.wait_work(["default", OWN], 0.01)
    (claimed,) = queue.claim("inc-1", 9, ["default", OWN]).jobs
    assert (claimed.id, claimed.function, claimed.timeout) == (job, "jobctl:canary", 30)
    queue.finish("inc-1", [Finish(job, 1, OK)])
    assert queue.get(job).status is Status.SUCCEEDED


def test_its_queue_is_told_of_only_while_it_holds_something(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    assert [info.name for info in queue.queues()] == ["default"]
    job = queue.canary("worker-1")
    assert [info.name for info in queue.queues()] == [OWN, "default"]
    queue.cancel(job)
    assert [info.name for info in queue.queues()] == ["default"]


def test_there_must_be_such_a_worker_and_nobody_submits_to_its_queue(queue: Queue) -> None:
    with pytest.raises(UnknownWorker):
        queue.canary("worker-1")
    with pytest.raises(InvalidSpec):
        JobSpec(id=new_id(), argv=("true",), queue=OWN)


def released(queue: Queue) -> None:
    queue.release("inc-1", Cause.WORKER_LOST)


def deregistered(queue: Queue) -> None:
    queue.deregister("inc-1")


def registered_anew(queue: Queue) -> None:
    queue.register(WorkerInfo("worker-1", "default", "c", "inc-9", 2))


@pytest.mark.parametrize("go", [released, deregistered, registered_anew])
@pytest.mark.parametrize("held", [False, True])
def test_it_is_cancelled_when_its_worker_goes(
    lab: Lab, queue: Queue, go: Callable[[Queue], None], held: bool
) -> None:
    lab.worker("inc-1")
    first, second = queue.canary("worker-1"), queue.canary("worker-1")
    (other,) = lab.submit(1)
    if held:
        queue.claim("inc-1", 2, [OWN, "default"])
    go(queue)
    jobs = [queue.get(job) for job in (first, second)]
    assert [job.status for job in jobs] == [Status.CANCELLED] * 2
    assert jobs[0].reason == "its worker is gone"
    assert queue.get(other).status is Status.QUEUED


def test_a_worker_that_was_replaced_leaves_the_new_ones_alone(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    lab.worker("inc-2")
    job = queue.canary("worker-1")
    queue.release("inc-1", Cause.WORKER_LOST)
    assert queue.get(job).status is Status.QUEUED


def test_a_backup_with_a_canary_is_whole(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    job = queue.canary("worker-1")
    writer, reader, cursor, data = BackupWriter(lab.project, 0), BackupReader(), "", b""
    while cursor != "0":
        cursor, records = queue.backup_page(cursor or "0")
        data += writer.add(records)
    found = reader.feed(data + writer.end())
    assert [record["fields"]["id"] for record in found] == [job]


def test_a_worker_on_trial_gets_its_canary_alone_until_it_is_undrained(
    lab: Lab, queue: Queue
) -> None:
    lab.worker("inc-1")
    queue.trial("worker-1")
    (first,) = lab.submit(1)
    # Whoever has the name already goes on.
    assert [job.id for job in queue.claim("inc-1", 9, ["default", OWN]).jobs] == [first]
    queue.finish("inc-1", [Finish(first, 1, OK)])
    queue.deregister("inc-1")
    lab.worker("inc-2")
    (waits,) = lab.submit(1)
    assert queue.claim("inc-2", 9, ["default", OWN]).jobs == []
    (worker,) = queue.workers()
    assert worker.status is WorkerStatus.TRIAL
    assert not queue.renew("inc-2", []).draining
    assert queue.facts(waits).serving == ()
    job = queue.canary("worker-1")
    assert queue.facts(job).serving == ("worker-1",)
    assert [job.id for job in queue.claim("inc-2", 9, ["default", OWN]).jobs] == [job]
    _, claims = queue.finish("inc-2", [Finish(job, 1, OK)], room=9, queues=["default"])
    assert claims is not None
    assert claims.jobs == []
    queue.undrain("worker-1")
    message = queue.wait_message("inc-2", 1.0)
    assert message is not None
    assert message.kind is MessageKind.UNDRAIN
    assert [job.id for job in queue.claim("inc-2", 9, ["default", OWN]).jobs] == [waits]
    # Its next process is not on trial any more.
    queue.deregister("inc-2")
    lab.worker("inc-3")
    assert queue.workers()[0].status is WorkerStatus.IDLE


def test_a_trial_that_nobody_ends_is_over_at_a_heartbeat(lab: Lab, queue: Queue) -> None:
    queue.trial("worker-1")
    lab.worker("inc-1")
    queue.renew("inc-1", [])
    assert queue.workers()[0].status is WorkerStatus.TRIAL
    lab.redis.delete(f"{lab.prefix}trial:worker-1")
    assert queue.workers()[0].status is WorkerStatus.TRIAL
    queue.renew("inc-1", [])
    assert queue.workers()[0].status is WorkerStatus.IDLE
    message = queue.wait_message("inc-1", 1.0)
    assert message is not None
    assert message.kind is MessageKind.UNDRAIN


def test_a_worker_on_trial_can_be_drained(lab: Lab, queue: Queue) -> None:
    queue.trial("worker-1")
    lab.worker("inc-1")
    queue.drain("worker-1", None)
    assert queue.workers()[0].status is WorkerStatus.DRAINED
    assert queue.renew("inc-1", []).draining


def test_a_worker_on_trial_is_handed_nothing_but_its_canary(lab: Lab, queue: Queue) -> None:
    queue.trial("worker-1")
    lab.worker("inc-1")
    queue.wait_jobs("inc-1", 2, ("default", OWN), 0.01)
    (waits,) = lab.submit(1)
    assert queue.get(waits).status is Status.QUEUED
    job = queue.canary("worker-1")
    got = queue.wait_jobs("inc-1", 2, ("default", OWN), 1.0)
    taken = got.jobs if got and got.jobs else queue.claim("inc-1", 2, ["default", OWN]).jobs
    assert [each.id for each in taken] == [job]
    assert queue.get(waits).status is Status.QUEUED
