"""Workers that wait: what becomes claimable is claimed for one of them, and handed to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from jobctl.queue import (
    Cause,
    Claims,
    Finish,
    JobSpec,
    Queue,
    QueueRates,
    Rate,
    Status,
    Unavailable,
    UnknownWorker,
    connect,
    new_id,
)
from tests.support.cut_line import CutLine
from tests.support.eventually import eventually
from tests.support.queue_lab import FAILED, LEASE, OK, Lab

SHORT = 0.01


def waits(lab: Lab, incarnation: str, room: int = 2, queues: Sequence[str] = ("default",)) -> None:
    """It waits, and nobody reads what it is handed."""
    assert lab.queue.wait_jobs(incarnation, room, queues, SHORT) is None


def handed(lab: Lab, incarnation: str) -> list[str]:
    """What it was handed; asks with no room, so that it waits no more."""
    claims = lab.queue.wait_jobs(incarnation, 0, ["nothing"], SHORT)
    return [] if claims is None else [job.id for job in claims.jobs]


def waiting(lab: Lab, queue: str = "default") -> list[str]:
    return lab.redis.zrange(f"{lab.prefix}waiting:{queue}", 0, -1)  # type: ignore[return-value]


def test_a_submit_hands_its_job_to_who_waits(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"))
    (job_id,) = lab.submit()
    job = queue.get(job_id)
    assert (job.status, job.worker, job.attempt) == (Status.CLAIMED, "worker-1", 1)
    assert queue.counts()[Status.QUEUED] == 0
    claims = queue.wait_jobs("inc-1", 2, ["default"], SHORT)
    assert claims is not None
    (got,) = claims.jobs
    assert (got.id, got.attempt, got.argv) == (job_id, 1, ("true",))
    assert queue.finish("inc-1", [Finish(job_id, 1, OK)])[0] == ["ok"]


def test_a_plain_function_comes_as_a_claim_would_bring_it(lab: Lab, queue: Queue) -> None:
    args = '["\\u00e4 \\/ \\"quoted\\"","\\n",1.50]'
    spec = JobSpec(id=new_id(), function="pkg:f", args=args)
    waits(lab, lab.worker("inc-1"))
    queue.submit([spec])
    claims = queue.wait_jobs("inc-1", 2, ["default"], SHORT)
    assert claims is not None
    (got,) = claims.jobs
    assert (got.id, got.queue, got.function, got.args) == (spec.id, "default", "pkg:f", args)


def test_who_blocks_is_woken_with_the_job_in_hand(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    got: list[Claims | None] = []
    other = connect("", project=lab.project, unix_socket_path=lab.server.socket)

    def block() -> None:
        got.append(other.wait_jobs("inc-1", 2, ["default"], 5))

    thread = threading.Thread(target=block)
    thread.start()
    eventually(lambda: waiting(lab))
    (job_id,) = lab.submit()
    thread.join(20)
    other.close()
    assert [job.id for claims in got if claims for job in claims.jobs] == [job_id]


def test_what_is_there_already_is_handed_over_at_once(lab: Lab) -> None:
    jobs = lab.submit(3)
    lab.worker("inc-1")
    claims = lab.queue.wait_jobs("inc-1", 2, ["default"], SHORT)
    assert claims is not None
    assert [job.id for job in claims.jobs] == jobs[:2]


def _promoted(lab: Lab) -> str:
    (job_id,) = lab.submit(delay=50.0)
    return job_id


def _handed_back(lab: Lab) -> str:
    (job_id,) = lab.submit()
    lab.worker("inc-2", "worker-2")
    lab.claim("inc-2")
    return job_id


def _ended(lab: Lab) -> str:
    job_id = _handed_back(lab)
    lab.queue.finish("inc-2", [Finish(job_id, 1, FAILED)])
    return job_id


def _paused(lab: Lab) -> str:
    lab.queue.pause("default")
    (job_id,) = lab.submit()
    return job_id


def _due(lab: Lab, job_id: str) -> None:
    lab.make_due(job_id)
    lab.queue.tick()


def _swept(lab: Lab, _: str) -> None:
    lab.expire("inc-2")
    lab.nobody_swept_for(1.0)
    lab.queue.tick()


@pytest.mark.parametrize(
    ("before", "then"),
    [
        (_promoted, _due),
        (_handed_back, lambda lab, job: lab.queue.hand_back("inc-2", [(job, 1)], None)),
        (_handed_back, lambda lab, _: lab.queue.release("inc-2", Cause.SCALE_DOWN)),
        (_handed_back, lambda lab, _: lab.queue.deregister("inc-2")),
        (_handed_back, _swept),
        (_ended, lambda lab, job: lab.queue.retry(job)),
        (_paused, lambda lab, _: lab.queue.resume("default")),
    ],
)
def test_whatever_makes_a_job_claimable_hands_it_over(
    lab: Lab, before: Callable[[Lab], str], then: Callable[[Lab, str], object]
) -> None:
    job_id = before(lab)
    waits(lab, lab.worker("inc-1"))
    then(lab, job_id)
    assert lab.queue.get(job_id).worker == "worker-1"
    assert handed(lab, "inc-1") == [job_id]


def test_what_came_in_at_once_is_spread_over_all_that_wait(lab: Lab) -> None:
    for number in (1, 2, 3):
        waits(lab, lab.worker(f"inc-{number}", f"worker-{number}"), room=4)
    lab.submit(5)
    assert sorted(len(handed(lab, f"inc-{number}")) for number in (1, 2, 3)) == [1, 2, 2]


def test_nobody_gets_more_than_there_is_room_for(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"), room=2)
    jobs = lab.submit(5)
    assert handed(lab, "inc-1") == jobs[:2]
    assert queue.counts()[Status.QUEUED] == 3
    assert queue.wait_work(["default"], SHORT)
    lab.claim("inc-1", 0)


def test_who_was_handed_something_waits_no_more(lab: Lab) -> None:
    waits(lab, lab.worker("inc-1"), room=2)
    waits(lab, lab.worker("inc-2", "worker-2"), room=2)
    first, second, third = lab.submit(), lab.submit(), lab.submit()
    assert sorted([handed(lab, "inc-1"), handed(lab, "inc-2")]) == sorted([first, second])
    assert lab.queue.get(third[0]).status is Status.QUEUED


def test_a_claim_meanwhile_says_how_much_room_there_is(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"), room=1)
    queue.claim("inc-1", 2, ["default"])
    jobs = lab.submit(3)
    assert handed(lab, "inc-1") == jobs[:2]
    lab.claim("inc-1")
    waits(lab, "inc-1", room=1)
    queue.claim("inc-1", 0, ["default"])
    assert waiting(lab) == []


def test_unread_jobs_are_not_added_to(lab: Lab) -> None:
    waits(lab, lab.worker("inc-1"), room=1)
    (first,) = lab.submit()
    # It asks again before it has read: what was handed over comes, and it does not wait.
    claims = lab.queue.wait_jobs("inc-1", 2, ["default"], SHORT)
    assert claims is not None
    assert [job.id for job in claims.jobs] == [first]
    assert waiting(lab) == []


def test_its_queues_are_looked_at_in_its_order(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    for name in ("a", "b"):
        queue.pause(name)
    a, b = lab.submit(queue="a"), lab.submit(queue="b")
    waits(lab, "inc-1", 1, ("b", "a"))
    queue.resume("b")
    assert handed(lab, "inc-1") == b
    waits(lab, "inc-1", 1, ("b", "a"))
    assert waiting(lab, "a") == waiting(lab, "b") == ["inc-1"]
    queue.resume("a")
    assert handed(lab, "inc-1") == a
    assert waiting(lab, "a") == waiting(lab, "b") == []


def test_the_most_important_first(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"), room=1)
    specs = [JobSpec(id=new_id(), argv=("true",), priority=n) for n in (0, 9, 5)]
    queue.submit(specs)
    assert handed(lab, "inc-1") == [specs[1].id]


def test_limits_hold(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    lab.worker("inc-2", "worker-2")
    told: dict[str, Any] = {"concurrency_key": "gpu", "concurrency_limit": 1}
    waits(lab, "inc-1")
    first = lab.submit(**told)
    waits(lab, "inc-2")
    second = lab.submit(**told)
    assert handed(lab, "inc-1") == first
    # The second is parked, and whoever waits goes on waiting.
    assert waiting(lab) == ["inc-2"]
    queue.finish("inc-1", [Finish(first[0], 1, OK)])
    assert handed(lab, "inc-2") == second


def test_rates_hold(lab: Lab, queue: Queue) -> None:
    queue.configure(LEASE, queues={"default": QueueRates(start=Rate(0.001, burst=2))})
    waits(lab, lab.worker("inc-1"), room=4)
    jobs = lab.submit(3)
    claims = queue.wait_jobs("inc-1", 0, ["nothing"], SHORT)
    assert claims is not None
    assert [job.id for job in claims.jobs] == jobs[:2]
    assert claims.next_due is not None
    assert claims.next_due > 1
    waits(lab, "inc-1")
    assert waiting(lab) == ["inc-1"]


def test_a_paused_queue_hands_over_nothing(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"))
    queue.pause("default")
    lab.submit()
    assert waiting(lab) == ["inc-1"]
    assert handed(lab, "inc-1") == []


def test_who_drains_is_handed_nothing(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"))
    queue.drain("worker-1", None)
    assert waiting(lab) == []
    waits(lab, "inc-1")
    lab.submit()
    assert handed(lab, "inc-1") == []
    queue.undrain("worker-1")
    assert queue.wait_jobs("inc-1", 1, ["default"], SHORT) is not None


def test_who_is_on_trial_is_handed_nothing(lab: Lab, queue: Queue) -> None:
    queue.trial("worker-1", 60)
    waits(lab, lab.worker("inc-1"))
    assert waiting(lab) == []
    queue.undrain("worker-1")


def test_what_a_draining_worker_was_handed_before_is_its_own(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"))
    (job_id,) = lab.submit()
    queue.drain("worker-1", None)
    assert handed(lab, "inc-1") == [job_id]
    assert queue.hand_back("inc-1", [(job_id, 1)], None) == ["ok"]
    assert queue.get(job_id).status is Status.QUEUED


@pytest.mark.parametrize(
    "end",
    [
        lambda lab: lab.queue.release("inc-1", Cause.WORKER_LOST),
        lambda lab: lab.queue.deregister("inc-1"),
        lambda lab: lab.worker("inc-9"),
        _swept,
    ],
)
def test_a_worker_that_ends_before_it_reads_loses_nothing(
    lab: Lab, queue: Queue, end: Callable[..., object]
) -> None:
    waits(lab, lab.worker("inc-1"))
    waits(lab, lab.worker("inc-2", "worker-2"), queues=("other",))
    (job_id,) = lab.submit()
    if end is _swept:
        lab.expire("inc-1")
        lab.nobody_swept_for(1.0)
        queue.tick()
    else:
        end(lab)
    assert queue.get(job_id).status is Status.QUEUED
    assert waiting(lab, "other") == ["inc-2"]


def test_who_has_been_silent_is_passed_over(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"))
    lab.silence("inc-1", 0.6)
    waits(lab, lab.worker("inc-2", "worker-2"))
    (job_id,) = lab.submit()
    assert handed(lab, "inc-2") == [job_id]
    assert waiting(lab) == []


def test_with_nobody_else_who_is_silent_finds_a_token(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"))
    lab.silence("inc-1", 0.6)
    lab.submit()
    claims = queue.wait_jobs("inc-1", 0, ["default"], SHORT)
    assert claims == Claims([])
    lab.claim("inc-1")


def test_who_gives_a_job_back_is_not_handed_it_again(lab: Lab, queue: Queue) -> None:
    (job_id,) = lab.submit()
    lab.worker("inc-1")
    lease = lab.claim("inc-1")
    waits(lab, "inc-1")
    queue.hand_back("inc-1", lease, Cause.SCALE_DOWN)
    job = queue.get(job_id)
    assert (job.status, job.attempt) == (Status.QUEUED, 1)


def test_who_lost_its_lease_is_not_handed_what_it_had(lab: Lab, queue: Queue) -> None:
    """Nor when the sweep takes back only some of it."""
    lab.submit(3)
    lab.worker("inc-1")
    lab.claim("inc-1", 3)
    waits(lab, "inc-1")
    lab.expire("inc-1")
    lab.nobody_swept_for(1.0)
    assert queue.tick(2).moved == 2
    assert queue.counts()[Status.QUEUED] == 2


def test_whoever_is_not_known_cannot_wait(queue: Queue) -> None:
    with pytest.raises(UnknownWorker):
        queue.wait_jobs("nobody", 1, ["default"], SHORT)


@pytest.mark.parametrize("read", [True, False])
def test_what_was_lost_on_its_way_comes_back(lab: Lab, queue: Queue, read: bool) -> None:
    """Popped and never heard of, or never popped: the heartbeat does not list it."""
    waits(lab, lab.worker("inc-1"))
    (job_id,) = lab.submit()
    if read:
        handed(lab, "inc-1")
    queue.renew("inc-1", [])
    assert queue.get(job_id).status is Status.CLAIMED  # it may be on its way
    lab.age_claim(job_id)
    queue.renew("inc-1", [])
    job = queue.get(job_id)
    assert (job.status, job.crashes) == (Status.QUEUED, 0)
    # Nor is it read later, when it may be another's.
    assert handed(lab, "inc-1") == []


def test_a_line_that_is_cut_while_it_waits(lab: Lab, queue: Queue) -> None:
    """It waits on, and what it is handed lies there until it asks again."""
    with CutLine(lab.server.socket) as line:
        far = connect("", project=lab.project, unix_socket_path=line.socket)
        lab.worker("inc-1")
        line.cut("reply")
        with pytest.raises(Unavailable):
            far.wait_jobs("inc-1", 2, ["default"], SHORT)
        far.close()
    jobs = lab.submit()
    claims = queue.wait_jobs("inc-1", 2, ["default"], SHORT)
    assert claims is not None
    assert [job.id for job in claims.jobs] == jobs


def test_a_new_redis_gets_the_library_first(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    behind: Any = lab.redis
    behind.execute_command("FUNCTION", "DELETE", "jobctl2")
    waits(lab, "inc-1")
    assert waiting(lab) == ["inc-1"]
    queue.claim("inc-1", 0, [])


def test_a_cancelled_job_that_was_not_read_yet(lab: Lab, queue: Queue) -> None:
    waits(lab, lab.worker("inc-1"))
    (job_id,) = lab.submit()
    queue.cancel(job_id)
    assert handed(lab, "inc-1") == [job_id]
    assert queue.start("inc-1", [(job_id, 1)]) == ["stale"]


def test_who_stands_still_is_handed_nothing_and_keeps_only_what_he_knows(
    lab: Lab, queue: Queue
) -> None:
    for number in (1, 2):
        lab.worker(f"inc-{number}", f"worker-{number}")
    (known,) = lab.submit()
    assert [job_id for job_id, _ in lab.claim("inc-1")] == [known]
    waits(lab, "inc-1")
    since = lab.now_ms()
    eventually(lambda: lab.now_ms() > since)
    (unread,) = lab.submit()
    assert queue.get(unread).worker == "worker-1"
    assert queue.set_aside("c-inc-1", since) == 1
    assert (queue.get(unread).status, queue.get(unread).losses) == (Status.QUEUED, 0)
    assert queue.get(known).status is Status.CLAIMED
    assert handed(lab, "inc-1") == []
    assert waiting(lab) == []
    assert [job_id for job_id, _ in lab.claim("inc-2")] == [unread]
    assert queue.set_aside("c-inc-1", since) == 0
