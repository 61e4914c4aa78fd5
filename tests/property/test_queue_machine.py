"""Any order of calls, on a real Redis, against the model.

A reply lost after Redis executed a call is the same, for Redis, as the call made twice:
so every call that changes something is sometimes made twice. What a claim handed out in
a lost reply is unknown to its worker until `renew` gives it back.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobctl.queue import (
    Cause,
    Finish,
    Outcome,
    Status,
    Verdict,
)
from jobctl.queue.status import TRANSITIONS
from tests.property.queue_moves import ORDERS, OUTCOMES, QUEUES, TWICE, QueueMoves, seen_edges
from tests.support.leaks import leaks
from tests.support.redis_server import RedisServer

NAMES = ("worker-1", "worker-2", "worker-3")
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


class QueueMachine(QueueMoves):
    """Which moves come after which, and what holds after every one."""

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

    @precondition(lambda self: self.has(Status.SCHEDULED))
    @rule(data=st.data())
    def a_backoff_passes(self, data: st.DataObject) -> None:
        job = self.pick(data, Status.SCHEDULED)
        self.model.promote(job.id)
        self.lab.make_due(job.id)
        self.somebody_looks(data)

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
