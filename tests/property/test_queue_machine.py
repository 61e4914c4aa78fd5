"""Any order of calls, on a real Redis, against the model.

A reply lost after Redis executed a call is the same, for Redis, as the call made twice:
so every call that changes something is sometimes made twice. What a claim handed out in
a lost reply is unknown to its worker until `renew` gives it back.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobctl.queue import (
    Backoff,
    Cause,
    Finish,
    JobSpec,
    Outcome,
    Status,
    Verdict,
    WorkerInfo,
    WrongStatus,
    new_id,
)
from jobctl.queue.status import TRANSITIONS
from tests.property.queue_model import Model, ModelJob
from tests.support.leaks import leaks
from tests.support.queue_lab import Lab
from tests.support.redis_server import RedisServer

T = TypeVar("T")

QUEUES = ("default", "other")
NAMES = ("worker-1", "worker-2", "worker-3")
TWICE = st.booleans()
ORDERS = st.sampled_from([["default"], ["default", "other"], ["other", "default"]])
OUTCOMES = st.one_of(
    st.just(Outcome(True, exit_code=0)),
    st.sampled_from(Cause).map(lambda cause: Outcome(False, cause, reason="because")),
)
LIVES = st.sampled_from(
    [
        ("start", "finish"),
        ("finish", "start", "finish"),
        ("start", "hand_back", "start"),
        ("start", "cancel", "finish"),
        ("start", "expire", "start"),
        ("start", "cancel", "expire"),
    ]
)
# Far away, so that only `promote_one` makes a job due.
LATER = Backoff(base=1000.0, cap=1000.0)

seen_edges: set[tuple[Status | None, Status]] = set()
_projects = itertools.count(1)


class QueueMachine(RuleBasedStateMachine):
    """The model and the real queue, call by call."""

    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.lab = Lab(self.server, f"machine-{next(_projects)}")
        self.lab.__enter__()
        self.queue = self.lab.queue
        self.incarnations = itertools.count(1)
        self.lost: set[str] = set()  # claimed in a reply that never arrived
        self.past: set[tuple[str, int]] = set()  # every attempt ever handed out

    def teardown(self) -> None:
        events = self.queue.events("0", block=0.01, count=100_000)
        seen_edges.update((t.was, t.status) for e in events for t in e.transitions)
        self.lab.__exit__(None, None, None)

    @initialize()
    def first_workers(self) -> None:
        for name in NAMES[:2]:
            self.register(name, twice=False)
        self.submit("default", 3, 2, twice=False)

    # Few rules with many moves each: hypothesis switches whole rules off in an example,
    # and without claims, say, hardly anything could happen.

    @rule(queue=st.sampled_from(QUEUES), n=st.integers(1, 3), tries=st.integers(1, 3), twice=TWICE)
    def a_producer_submits(self, queue: str, n: int, tries: int, twice: bool) -> None:
        self.submit(queue, n, tries, twice)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), move=st.sampled_from(["cancel", "cancel", "retry"]))
    def a_user_acts(self, data: st.DataObject, move: str) -> None:
        # Mostly what makes sense, sometimes what must be refused.
        fitting = [
            job for job in self.model.jobs.values() if job.status.terminal == (move == "retry")
        ]
        anything = not fitting or data.draw(st.integers(0, 9)) == 0
        jobs = [*self.model.jobs.values()] if anything else fitting
        getattr(self, move)(data.draw(st.sampled_from(jobs)))

    @precondition(lambda self: self.model.draining)
    @rule(data=st.data(), n=st.sampled_from([2, 1, 4, 0]), token=TWICE, reply_lost=TWICE)
    def a_worker_claims(self, data: st.DataObject, n: int, token: bool, reply_lost: bool) -> None:
        worker = data.draw(st.sampled_from(sorted(self.model.draining)))
        self.claim(worker, n, data.draw(ORDERS), token, reply_lost)

    @precondition(lambda self: self.has(Status.QUEUED) and self.model.draining)
    @rule(data=st.data(), moves=LIVES)
    def a_job_lives(self, data: st.DataObject, moves: tuple[str, ...]) -> None:
        """Several moves at once: one by one, hypothesis seldom gets far."""
        self.a_worker_claims(data, 2, False, False)
        for move in moves:
            held = [job for job in self.model.jobs.values() if job.status.held]
            if held and move == "cancel":
                self.cancel(held[-1])
            elif held:
                getattr(self, move)(data, held[-1])

    @precondition(lambda self: self.has(Status.CLAIMED, Status.RUNNING))
    @rule(
        data=st.data(),
        move=st.sampled_from(["start", "finish", "start", "finish", "hand_back", "expire"]),
    )
    def a_held_job_moves(self, data: st.DataObject, move: str) -> None:
        getattr(self, move)(data, self.pick(data, Status.CLAIMED, Status.RUNNING))

    @rule(
        data=st.data(),
        name=st.sampled_from(NAMES),
        twice=TWICE,
        move=st.sampled_from(["renew", "register", "drain", "undrain", "release", "deregister"]),
    )
    def a_worker_lives(self, data: st.DataObject, name: str, move: str, twice: bool) -> None:
        if move == "register" or name not in self.model.names:
            self.register(name, twice)
        else:
            getattr(self, move)(data, name, twice)

    # -- choosing

    def pick(self, data: st.DataObject, *statuses: Status) -> ModelJob:
        jobs = [job for job in self.model.jobs.values() if job.status in statuses]
        return data.draw(st.sampled_from(jobs))

    def has(self, *statuses: Status) -> bool:
        return any(job.status in statuses for job in self.model.jobs.values())

    def repeat(self, twice: bool, call: Callable[[], T]) -> T:
        if twice:
            call()
        return call()

    # -- producers

    def submit(self, queue: str, n: int, tries: int, twice: bool) -> None:
        specs = [
            JobSpec(
                id=new_id(),
                argv=("true",),
                name="twin" if tries == 2 else "",
                queue=queue,
                max_attempts=tries,
                backoff=LATER,
            )
            for _ in range(n)
        ]
        created = [self.model.submit(spec.id, queue, tries) for spec in specs]
        assert [s.created for s in self.queue.submit(specs)] == created
        if twice:
            assert not any(s.created for s in self.queue.submit(specs))

    def cancel(self, job: ModelJob) -> None:
        if job.status.terminal:
            with pytest.raises(WrongStatus):
                self.queue.cancel(job.id)
            return
        self.model.cancel(job.id)
        assert self.queue.cancel(job.id).status == job.status

    def retry(self, job: ModelJob) -> None:
        if not job.status.terminal:
            with pytest.raises(WrongStatus):
                self.queue.retry(job.id)
            return
        self.model.retry(job.id)
        assert self.queue.retry(job.id).run == job.run

    # -- workers

    def register(self, name: str, twice: bool) -> None:
        incarnation = f"inc-{next(self.incarnations)}"
        self.model.register(name, incarnation)
        info = WorkerInfo(name, "default", "c", incarnation, 2, QUEUES)
        self.repeat(twice, lambda: self.queue.register(info))

    def claim(self, worker: str, n: int, queues: list[str], token: bool, reply_lost: bool) -> None:
        if token and any(self.model.queues.get(queue) for queue in queues):
            assert self.queue.wait_work(queues, 0.01)
        expected = self.model.claim(worker, n, queues)
        jobs = self.queue.claim(worker, n, queues)
        assert [job.id for job in jobs] == expected
        self.handed_out(expected)
        if reply_lost:
            self.lost.update(expected)

    def handed_out(self, ids: list[str]) -> None:
        self.lost.difference_update(ids)
        self.past.update((i, self.model.jobs[i].attempt) for i in ids)

    def start(self, data: st.DataObject, job: ModelJob) -> None:
        self.lost.discard(job.id)
        verdict = self.model.start(job.id, job.attempt)
        leases = [(job.id, job.attempt)]
        assert self.repeat(data.draw(TWICE), lambda: self.queue.start(job.holder, leases)) == [
            verdict
        ]

    def finish(self, data: st.DataObject, job: ModelJob) -> None:
        outcome, n, queues = data.draw(OUTCOMES), data.draw(st.integers(0, 2)), data.draw(ORDERS)
        worker = job.holder
        item = Finish(job.id, job.attempt, outcome, started_at=1000)
        self.lost.discard(job.id)
        expected = self.model.finish(job.id, job.attempt, outcome)
        if data.draw(TWICE):
            verdicts, _ = self.queue.finish(worker, [item])
            assert verdicts == [expected]
        claimed = self.model.claim(worker, n, queues)
        verdicts, jobs = self.queue.finish(worker, [item], claim=n, queues=queues)
        assert verdicts == [expected]
        assert [j.id for j in jobs] == claimed
        self.handed_out(claimed)

    @precondition(lambda self: self.past)
    @rule(data=st.data(), outcome=OUTCOMES)
    def late_writes(self, data: st.DataObject, outcome: Outcome) -> None:
        """Whatever a former holder still sends, only the present one is heard."""
        job_id, attempt = data.draw(st.sampled_from(sorted(self.past)))
        if self.model.fence(job_id, attempt) is Verdict.OK:
            return
        lease = [(job_id, attempt)]
        stale = [Verdict.STALE]
        assert self.queue.start("ghost", lease) == stale
        assert self.queue.report(job_id, attempt, step="late") is Verdict.STALE
        assert self.queue.hand_back("ghost", lease, Cause.SCALE_DOWN) == stale
        assert self.queue.renew("ghost", lease).verdicts == stale
        expected = self.model.finish(job_id, attempt, outcome)
        assert self.queue.finish("ghost", [Finish(job_id, attempt, outcome)])[0] == [expected]

    def hand_back(self, data: st.DataObject, job: ModelJob) -> None:
        lease = [(job.id, job.attempt)]
        holder = job.holder
        self.model.hand_back(job)
        assert self.queue.hand_back(holder, lease, Cause.SCALE_DOWN) == [Verdict.OK]
        if data.draw(TWICE):
            assert self.queue.hand_back(holder, lease, Cause.SCALE_DOWN) == [Verdict.STALE]

    def release(self, data: st.DataObject, name: str, twice: bool) -> None:
        worker, cause = self.model.names[name], data.draw(st.sampled_from(sorted(Cause)))
        assert self.queue.release(worker, cause) == self.model.release(worker, cause)
        if twice:
            assert self.queue.release(worker, cause) == 0

    def deregister(self, data: st.DataObject, name: str, twice: bool) -> None:
        worker = self.model.names[name]
        self.model.deregister(worker)
        self.repeat(twice, lambda: self.queue.deregister(worker))

    def drain(self, data: st.DataObject, name: str, twice: bool) -> None:
        self.model.draining[self.model.names[name]] = True
        grace = data.draw(st.sampled_from([None, 5.0]))
        self.repeat(twice, lambda: self.queue.drain(name, grace))

    def undrain(self, data: st.DataObject, name: str, twice: bool) -> None:
        self.model.draining[self.model.names[name]] = False
        self.repeat(twice, lambda: self.queue.undrain(name))

    def renew(self, data: st.DataObject, name: str, twice: bool) -> None:
        """A heartbeat; what was lost in a claim's reply long ago comes back."""
        worker = self.model.names[name]
        held = self.model.held(worker)
        known = [(job.id, job.attempt) for job in held if job.id not in self.lost]
        for job in held:
            self.lab.age_claim(job.id)
            if job.id in self.lost:
                self.model.hand_back(job)
        self.lost -= {job.id for job in held}
        renewal = self.repeat(twice, lambda: self.queue.renew(worker, known))
        assert renewal.known
        assert renewal.draining == self.model.draining[worker]
        assert renewal.verdicts == [Verdict.OK] * len(known)

    # -- time

    def expire(self, data: st.DataObject, job: ModelJob) -> None:
        self.model.lose(job, Cause.WORKER_LOST)
        self.lab.expire(job.id)
        self.somebody_looks(data)

    @precondition(lambda self: self.has(Status.SCHEDULED))
    @rule(data=st.data())
    def a_backoff_passes(self, data: st.DataObject) -> None:
        job = self.pick(data, Status.SCHEDULED)
        self.model.promote(job.id)
        self.lab.make_due(job.id)
        self.somebody_looks(data)

    def somebody_looks(self, data: st.DataObject) -> None:
        by = data.draw(st.sampled_from(["tick", "claim", "renew"]))
        self.lab.nobody_swept_for(1.0)
        worker = next(iter(self.model.draining), None)
        if by == "claim" and worker:
            assert self.queue.claim(worker, 0, ["default"]) == []
        elif by == "renew":
            self.queue.renew("stranger", [])
        else:
            assert self.queue.tick() == 1

    # -- what always holds

    @invariant()
    def same_as_the_model(self) -> None:
        ids = list(self.model.jobs)
        for job, expected in zip(self.queue.get_many(ids), self.model.jobs.values(), strict=True):
            assert job is not None
            real = {name: getattr(job, name) for name in COMPARED}
            assert real == {name: getattr(expected, name) for name in COMPARED}, job
        for queue, waiting in self.model.queues.items():
            redis: Any = self.lab.redis
            assert redis.zrange(f"{self.lab.prefix}queue:{queue}", 0, -1) == waiting
        held = {worker.incarnation: worker.jobs for worker in self.queue.workers()}
        assert held == {
            worker: tuple(sorted(job.id for job in self.model.held(worker)))
            for worker in self.model.draining
        }

    @invariant()
    def nothing_lost_or_doubled(self) -> None:
        assert sum(self.queue.counts().values()) == len(self.model.jobs)
        assert leaks(self.lab.redis, self.lab.project) == []


COMPARED = (
    "status", "attempt", "failures", "crashes", "run", "accepted", "cancelling",
)  # fmt: skip


def test_the_queue_does_what_the_model_says(redis_server: RedisServer) -> None:
    machine = type("Machine", (QueueMachine,), {"server": redis_server})
    seen_edges.clear()
    run_state_machine_as_test(machine)
    # That each way in the table can be gone is shown in test_queue_edges.py.
    assert seen_edges
    assert seen_edges <= {(edge.was, edge.to) for edge in TRANSITIONS}
