"""Any order of calls, on a real Redis, against the model.

Calls are cut off now and then, before Redis gets them or before its reply arrives, and made
again, as callers do. What a claim handed out in a lost reply is unknown to its worker until
`renew` gives it back.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import (
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from jobctl.queue import Finish, JobSpec, Outcome, Status
from tests.property.queue_moves import FATES, QUEUES, YES_NO
from tests.property.queue_moves_operators import OperatorMoves
from tests.property.queue_moves_producers import LATER, ProducerMoves
from tests.support.cut_line import CutLine
from tests.support.leaks import leaks
from tests.support.redis_server import RedisServer

NAMES = ("worker-1", "worker-2", "worker-3")
MOVES = [
    *(
        "a_submit",
        "a_submit",
        "a_flow",
        "a_flow",
        "a_users_word",
        "a_claim",
        "a_job_lives",
        "a_job_lives",
    ),
    *("a_held_job_moves", "a_held_job_moves", "a_held_job_moves", "a_worker_lives"),
    *("a_wait", "a_wait", "a_wait"),
    *("a_crowd_at_a_limit", "a_ghost_writes", "a_time_comes", "an_operators_word", "an_end"),
]
# In the others several things happen, and who waits would be handed jobs in between.
ONE_CALL = {"a_wait", "a_submit", "a_flow", "a_users_word", "a_claim", "a_worker_lives"}
ONE_CALL |= {"a_ghost_writes"}
WORKERS = (
    *("renew", "renew", "register", "drain", "undrain", "release", "deregister"),
    *("release_container", "extend_lease"),
)
OPERATORS = ("set_state", "set_state", "tick", "prune", "prune", "sweep_up", "fire")
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


class QueueMachine(ProducerMoves, OperatorMoves):
    """Which moves come after which, and what holds after every one."""

    @initialize()
    def first_workers(self) -> None:
        for name in NAMES[:2]:
            self.register(name, fate="")
        specs = [
            JobSpec(id=next(self.ids), function="m:f", max_attempts=2, backoff=LATER)
            for _ in range(3)
        ]
        self.submit(specs, fate="")

    # One rule with all moves: hypothesis switches whole rules off in an example, and without
    # claims, say, hardly anything could happen. A move that makes no sense now is passed over.

    @rule(data=st.data(), move=st.sampled_from(MOVES))
    def something_happens(self, data: st.DataObject, move: str) -> None:
        if move not in ONE_CALL:
            self.nobody_waits()
        getattr(self, move)(data)
        self.hand_over()

    def a_wait(self, data: st.DataObject) -> None:
        if self.model.draining:
            self.wait(data)
        else:
            self.register(NAMES[0], data.draw(FATES))

    def a_submit(self, data: st.DataObject) -> None:
        self.submit_some(data)

    def a_flow(self, data: st.DataObject) -> None:
        self.submit_array(data)

    def a_users_word(self, data: st.DataObject) -> None:
        move = data.draw(
            st.sampled_from(["cancel", "cancel", "retry", "retry", "retry_dead", "cancel_array"])
        )
        if move == "retry_dead" or (move == "cancel_array" and self.model.arrays):
            getattr(self, move)(data)
            return
        # Mostly what makes sense, sometimes what must be refused.
        fitting = [
            job for job in self.model.jobs.values() if job.status.terminal == (move == "retry")
        ]
        anything = not fitting or data.draw(st.integers(0, 9)) == 0
        jobs = [*self.model.jobs.values()] if anything else fitting
        if jobs:
            job = data.draw(st.sampled_from(jobs))
            (self.retry if move == "retry" else self.cancel)(job, data.draw(FATES))

    def a_claim(self, data: st.DataObject) -> None:
        if self.model.draining:
            self.claim(data, data.draw(st.sampled_from(sorted(self.model.draining))))
        else:
            self.register(NAMES[0], data.draw(FATES))

    def a_job_lives(self, data: st.DataObject) -> None:
        """Several moves at once: one by one, they seldom meet."""
        self.a_claim(data)
        for move in data.draw(LIVES):
            held = self.model.with_status(Status.CLAIMED, Status.RUNNING)
            if held and move == "cancel":
                self.cancel(held[-1], data.draw(FATES))
            elif held:
                getattr(self, move)(data, held[-1])

    def a_crowd_at_a_limit(self, data: st.DataObject) -> None:
        """One has the place, others are parked; it ends, and who is let in may be cancelled."""
        told: dict[str, Any] = {"concurrency_key": "gpu", "concurrency_limit": 1}
        specs = [JobSpec(id=next(self.ids), function="m:f", **told) for _ in range(3)]
        self.submit(specs, data.draw(FATES))
        self.a_claim(data)
        self.a_held_job_moves(data)
        for job in self.model.waiting("default"):
            if job.spec.concurrency_key and data.draw(YES_NO):
                self.cancel(job, data.draw(FATES))

    def a_held_job_moves(self, data: st.DataObject) -> None:
        move = data.draw(
            st.sampled_from(["start", "finish", "start", "finish", "hand_back", "expire"])
        )
        if self.has(Status.CLAIMED, Status.RUNNING):
            getattr(self, move)(data, self.pick(data, Status.CLAIMED, Status.RUNNING))
        else:
            self.a_claim(data)

    def a_worker_lives(self, data: st.DataObject) -> None:
        name, move = data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from(WORKERS))
        if move == "register" or name not in self.model.names:
            self.register(name, data.draw(FATES))
        else:
            getattr(self, move)(data, name)

    def a_ghost_writes(self, data: st.DataObject) -> None:
        if self.past:
            self.late_write(data)

    def a_time_comes(self, data: st.DataObject) -> None:
        if self.has(Status.SCHEDULED):
            self.promote(data)
        else:
            self.a_job_lives(data)

    def an_operators_word(self, data: st.DataObject) -> None:
        getattr(self, data.draw(st.sampled_from(OPERATORS)))(data)

    def an_end(self, data: st.DataObject) -> None:
        if data.draw(st.integers(0, 2)) == 0:
            self.all_is_done(data)
        else:
            self.move_house(data)

    def all_is_done(self, data: st.DataObject) -> None:
        """With one worker that ends everything well, nothing is left but what waits for more."""
        for queue in QUEUES:
            self.model.states.pop(queue, None)
            self.queue.resume(queue)
        for name in list(self.model.names):
            self.deregister(data, name)
        self.register("worker-1", fate="")
        (worker,) = self.model.draining
        while self.has(Status.QUEUED, Status.SCHEDULED):
            for job in sorted(self.model.with_status(Status.SCHEDULED), key=lambda job: job.id):
                self.model.enqueue(job)
                self.lab.make_due(job.id)
            self.queue.tick()
            self.model.offer_places()
            self.model.claim(worker, 256, [*QUEUES])
            jobs = self.queue.claim(worker, 256, [*QUEUES]).jobs
            assert jobs, "nothing can be claimed"
            self.lost.difference_update(job.id for job in jobs)
            self.past.update((job.id, job.attempt) for job in jobs)
            ends = [Finish(job.id, job.attempt, Outcome(True)) for job in jobs]
            self.ended(ends)
            self.queue.finish(worker, ends)
            self.model.cascade()
        for job in self.model.with_status(*Status):
            assert job.status.terminal or self.waits_for_more(job.id)

    def waits_for_more(self, job_id: str) -> bool:
        """Whether something this waits for is an array that has not come yet."""
        waits_for = self.model.jobs[job_id].waits_for
        return any(
            parent in self.model.arrays or self.waits_for_more(parent) for parent in waits_for
        )

    # -- what always holds

    @invariant()
    def same_as_the_model(self) -> None:
        ids = list(self.model.jobs)
        for job, expected in zip(self.queue.get_many(ids), self.model.jobs.values(), strict=True):
            assert job is not None
            real = {name: getattr(job, name) for name in COMPARED}
            assert real == {name: getattr(expected, name) for name in COMPARED}, job
        held = {worker.incarnation: worker.jobs for worker in self.queue.workers()}
        assert held == {
            worker: tuple(sorted(job.id for job in self.model.held(worker)))
            for worker in self.model.draining
        }
        for array_id, array in self.model.arrays.items():
            info = self.queue.array(array_id)
            ended = (info.succeeded, info.failed, info.cancelled)
            assert ended == tuple(array.ended[Status(s)] for s in ENDS)
            assert info.over == array.over

    @invariant()
    def next_is_who_should_be(self) -> None:
        redis: Any = self.lab.redis
        for queue in QUEUES:
            waiting = [job.id for job in self.model.waiting(queue)]
            assert redis.zrange(f"{self.lab.prefix}queue:{queue}", 0, -1) == waiting
            tokens = redis.llen(f"{self.lab.prefix}wake:{queue}")
            awake = bool(waiting) and not self.model.paused(queue)
            assert tokens == min(len(waiting), 64) if awake else tokens <= 1
        for key in ("gpu", "disk"):
            parked = [job.id for job in self.model.parked(key)]
            assert redis.zrange(f"{self.lab.prefix}parked:{key}", 0, -1) == parked
            holders = redis.smembers(f"{self.lab.prefix}holders:{key}")
            assert holders == self.model.holders[key]

    @invariant()
    def nothing_lost_or_doubled(self) -> None:
        counts = self.queue.counts()
        assert counts == {status: len(self.model.with_status(status)) for status in Status}
        assert leaks(self.lab.redis, self.lab.project) == []

    @invariant()
    def the_events_say_so_too(self) -> None:
        self.witness.look()
        statuses = self.witness.statuses
        assert self.model.jobs.keys() <= statuses.keys()
        for job in self.model.jobs.values():
            assert statuses[job.id] == (job.status, job.attempt)


ENDS = ("succeeded", "failed", "cancelled")
COMPARED = (
    "status", "attempt", "failures", "crashes", "losses", "run", "accepted", "cancelling",
    "queue", "blockers",
)  # fmt: skip


@pytest.mark.timeout(3600)  # with JOBCTL_TEST_SIZE=full
def test_the_queue_does_what_the_model_says(redis_server: RedisServer) -> None:
    with CutLine(redis_server.socket) as line:
        machine = type("Machine", (QueueMachine,), {"server": redis_server, "line": line})
        run_state_machine_as_test(machine)
