"""Who gets which jobs, how many, and when to ask again; batches of finishes."""

from __future__ import annotations

import pytest

from jobctl.queue import Cause, Finish, JobSpec, Outcome, Queue, Status, Verdict, new_id
from tests.support.queue_lab import FAILED, OK, Lab


def functions(lab: Lab, count: int, **fields: object) -> list[str]:
    """Plain functions, the jobs that claim and finish are fastest with."""
    specs = [
        JobSpec(id=new_id(), function="pkg.tasks:f", args="[1]", **fields)  # type: ignore[arg-type]
        for _ in range(count)
    ]
    return [done.id for done in lab.queue.submit(specs)]


def order(lab: Lab, incarnation: str = "inc-1") -> list[str]:
    return [job_id for job_id, _ in lab.claim(incarnation, 99)]


def test_the_highest_priority_comes_first_then_the_oldest(lab: Lab) -> None:
    usual = functions(lab, 2)
    urgent = functions(lab, 2, priority=100)
    idle = functions(lab, 1, priority=-100)
    higher = functions(lab, 1, priority=1)
    lab.worker("inc-1")
    assert order(lab) == [*urgent, *higher, *usual, *idle]


def test_what_comes_back_goes_to_the_head_of_its_priority(lab: Lab, queue: Queue) -> None:
    usual, urgent = functions(lab, 3), functions(lab, 2, priority=5)
    lab.worker("inc-1")
    leases = lab.claim("inc-1", 4)
    queue.hand_back("inc-1", [leases[1], leases[3]], Cause.SCALE_DOWN)
    assert order(lab) == [urgent[1], usual[1], usual[2]]


@pytest.mark.parametrize(
    ("queued", "workers", "room", "prefetch", "granted"),
    [
        (100, 1, 4, 20, 24),  # alone: all it wants
        (100, 4, 4, 60, 25),  # its share of what waits
        (10, 4, 4, 60, 4),  # never less than it can run now
        (10, 3, 2, 60, 4),  # shares are rounded up
        (100, 4, 0, 60, 25),
        (3, 1, 8, 60, 3),
        (600, 1, 300, 300, 256),  # never more than that in one call
        (600, 1, 300, 0, 256),
    ],
)
def test_prefetch_takes_no_more_than_a_fair_share(
    lab: Lab, queue: Queue, queued: int, workers: int, room: int, prefetch: int, granted: int
) -> None:
    for number in range(0, queued, 500):
        functions(lab, min(500, queued - number))
    for number in range(workers):
        lab.worker(f"inc-{number}", f"worker-{number}")
    claims = queue.claim("inc-0", room, ["default"], prefetch=prefetch)
    assert len(claims.jobs) == granted


def test_the_share_is_of_all_queues_asked_for(lab: Lab, queue: Queue) -> None:
    functions(lab, 10)
    functions(lab, 30, queue="other")
    lab.worker("inc-1")
    lab.worker("inc-2", "worker-2")
    claims = queue.claim("inc-1", 1, ["default", "other"], prefetch=99)
    assert [job.queue for job in claims.jobs] == ["default"] * 10 + ["other"] * 10


def test_what_is_paused_is_nobodys_share(lab: Lab, queue: Queue) -> None:
    functions(lab, 10)
    functions(lab, 30, queue="other")
    queue.pause("other")
    lab.worker("inc-1")
    lab.worker("inc-2", "worker-2")
    claims = queue.claim("inc-1", 1, ["default", "other"], prefetch=99)
    assert [job.queue for job in claims.jobs] == ["default"] * 5


def test_claims_say_when_the_next_job_is_due(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    assert queue.claim("inc-1", 1, ["default"]).next_due is None
    later = lab.submit(delay=50.0)
    sooner = lab.submit(delay=20.0)
    wait = queue.claim("inc-1", 1, ["default"]).next_due
    assert wait is not None
    assert 10 < wait <= 20
    assert queue.tick().next_due is not None
    # Whoever asks at that time gets it, though nobody ticks.
    lab.make_due(sooner[0])
    claims = queue.claim("inc-1", 9, ["default"])
    assert [job.id for job in claims.jobs] == sooner
    assert claims.next_due is not None
    assert 20 < claims.next_due <= 50
    queue.cancel(later[0])
    assert queue.tick().next_due is None


def test_a_claim_queues_as_many_due_jobs_as_it_can_use(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    jobs = lab.submit(40, delay=50.0)
    for job_id in jobs[:35]:
        lab.make_due(job_id)
    assert len(queue.claim("inc-1", 20, ["default"], prefetch=10).jobs) == 30

    claims = queue.claim("inc-1", 2, ["default"])
    assert len(claims.jobs) == 2
    assert queue.wait_work(["default"], 0.01)
    assert len(queue.claim("inc-1", 9, ["default"]).jobs) == 3


def test_an_instant_in_the_past_is_now(lab: Lab, queue: Queue) -> None:
    (job_id,) = lab.submit(at=1)
    assert queue.get(job_id).status is Status.QUEUED


def test_a_waiting_worker_hears_of_what_is_due_sooner(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    lab.submit(delay=50.0)
    assert queue.wait_work(["default"], 0.01)
    lab.submit(delay=60.0)
    assert not queue.wait_work(["default"], 0.01)
    lab.submit(delay=40.0)
    assert queue.wait_work(["default"], 0.01)
    # A failed job is due later too.
    lease = lab.running(max_attempts=2)
    queue.claim("inc-1", 0, ["default"])
    queue.finish("inc-1", [Finish(*lease, FAILED)])
    assert queue.wait_work(["default"], 0.01)


def test_a_batch_of_all_kinds_of_ends(lab: Lab, queue: Queue) -> None:
    lab.worker("inc-1")
    plain, running, twice = functions(lab, 3)
    named, failed, cancelled = lab.submit(name="n") + functions(lab, 2)
    other = lab.worker("inc-2", "worker-2")
    leases = lab.claim("inc-1", 9)
    functions(lab, 1)
    (foreign,) = lab.claim(other)
    queue.start("inc-1", [leases[1], leases[5]])
    queue.cancel(cancelled)
    wrong = Outcome(False, Cause.EXIT, exit_code=3, reason="no")
    results = [OK, Outcome(True, result='{"a":1}'), OK, OK, wrong, wrong]
    items = [Finish(*lease, result) for lease, result in zip(leases, results, strict=True)]
    items[2:2] = [Finish(plain, 7, OK), Finish(new_id(), 1, OK), Finish(*foreign, OK), items[2]]
    verdicts, _ = queue.finish("inc-1", items)
    assert verdicts == ["ok", "ok", "stale", "missing", "ok", "ok", "ok", "ok", "ok", "ok"]
    found = {i: queue.get(i) for i in (plain, running, twice, named, failed, cancelled)}
    assert [job.status for job in found.values()] == [
        *["succeeded"] * 4,
        "failed",
        "cancelled",
    ]
    assert (found[plain].exit_code, found[plain].worker) == (0, "worker-1")
    assert found[running].result == '{"a":1}'
    assert (found[failed].exit_code, found[failed].reason) == (3, "no")
    assert {job.accepted for job in found.values()} == {1}
    assert queue.get(foreign[0]).status is Status.SUCCEEDED
    # The whole batch again: nothing changes, and all that was true is said again.
    before = queue.events("0", block=0.01)[-1].id
    assert queue.finish("inc-1", items)[0] == verdicts
    assert queue.events(before, block=0.01) == []


def test_a_result_ends_with_its_run(lab: Lab, queue: Queue) -> None:
    (job_id,) = functions(lab, 1)
    lab.worker("inc-1")
    (lease,) = lab.claim("inc-1")
    queue.finish("inc-1", [Finish(*lease, Outcome(True, result="1"))])
    assert queue.retry(job_id).result == ""
    (again,) = lab.claim("inc-1")
    assert again == (job_id, 2)
    # The first attempt's finish was taken, also now.
    assert queue.finish("inc-1", [Finish(*lease, OK)])[0] == [Verdict.OK]
    assert queue.get(job_id).status is Status.CLAIMED
    queue.finish("inc-1", [Finish(*again, OK)])
    assert (queue.get(job_id).result, queue.get(job_id).accepted) == ("", 2)


def test_what_a_worker_says_extends_its_lease(lab: Lab, queue: Queue) -> None:
    lease = lab.running()
    lab.expire("inc-1")
    lab.nobody_swept_for(1.0)
    queue.claim("inc-1", 0, ["default"])
    assert queue.tick().moved == 0
    assert queue.get(lease[0]).status is Status.RUNNING


def test_the_stream_is_capped_by_what_it_weighs(lab: Lab, queue: Queue) -> None:
    meta, stream = f"{lab.prefix}meta", f"{lab.prefix}events"

    def after(entry_bytes: int) -> int:
        """How long the stream may be when its entries are that long."""
        lab.redis.delete(stream)
        pipe = lab.redis.pipeline(transaction=False)
        for _ in range(12_000):
            pipe.xadd(stream, {"filler": "x"})
        pipe.execute()
        for _ in range(2):  # one call removes a bounded number of them
            lab.redis.hset(meta, "entry", str(entry_bytes))
            lab.submit()
        return lab.redis.xlen(stream)  # type: ignore[return-value]

    # Redis removes whole nodes of up to 100 entries.
    assert 10_000 <= after(50) <= 10_100
    assert 4_000 <= after(2_000) <= 4_600
    assert 1_000 <= after(1 << 20) <= 1_100


def test_the_usual_weight_follows_what_is_written(lab: Lab, queue: Queue) -> None:
    lab.submit()
    meta = f"{lab.prefix}meta"
    small = int(lab.redis.hget(meta, "entry") or 0)  # type: ignore[arg-type]
    for _ in range(50):
        lab.submit(100)
    assert small < 100
    assert int(lab.redis.hget(meta, "entry") or 0) > 1000  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{}, {"name": "big"}])
def test_a_claim_is_no_larger_than_a_worker_can_hold(
    lab: Lab, queue: Queue, fields: dict[str, object]
) -> None:
    big = [
        JobSpec(id=new_id(), function="m:f", args=f'["{"x" * 200_000}"]', **fields)  # type: ignore[arg-type]
        for _ in range(12)
    ]
    ids = [done.id for done in queue.submit(big)]
    worker = lab.worker("inc-1")
    first = queue.claim(worker, 1, ["default"], prefetch=256).jobs
    assert [job.id for job in first] == ids[:6]
    # The others are not forgotten: whoever looks for work is woken.
    assert queue.wait_work(["default"], 0.01)
    assert [job.id for job in queue.claim(worker, 256, ["default"]).jobs] == ids[6:]
