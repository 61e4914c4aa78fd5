"""What users, workers and time do to a queue: every move on Redis and on the model at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import (
    RuleBasedStateMachine,
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
from tests.property.queue_model import Model, ModelJob
from tests.support.queue_lab import Lab
from tests.support.redis_server import RedisServer

T = TypeVar("T")
QUEUES = ("default", "other")
TWICE = st.booleans()
ORDERS = st.sampled_from([["default"], ["default", "other"], ["other", "default"]])
OUTCOMES = st.one_of(
    st.just(Outcome(True, exit_code=0)),
    st.sampled_from(Cause).map(lambda cause: Outcome(False, cause, reason="because")),
)
# Far away, so that only `promote_one` makes a job due.
LATER = Backoff(base=1000.0, cap=1000.0)

seen_edges: set[tuple[Status | None, Status]] = set()
_projects = itertools.count(1)


class QueueMoves(RuleBasedStateMachine):
    """The model and the real queue side by side; every move checks that both say the same."""

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
        jobs = self.queue.claim(worker, n, queues).jobs
        assert [(job.id, job.attempt) for job in jobs] == [
            (i, self.model.jobs[i].attempt) for i in expected
        ]
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
        verdicts, claims = self.queue.finish(worker, [item], room=n, queues=queues)
        assert verdicts == [expected]
        assert [j.id for j in claims.jobs] == claimed
        self.handed_out(claimed)

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
        worker = job.holder
        for lost in self.model.held(worker):
            self.lost.discard(lost.id)
            self.model.lose(lost, Cause.WORKER_LOST)
        self.lab.expire(worker)
        self.somebody_looks(data, but=worker)

    def somebody_looks(self, data: st.DataObject, but: str = "") -> None:
        """Anyone but that one, whose every word would renew its lease."""
        by = data.draw(st.sampled_from(["tick", "claim", "renew"]))
        self.lab.nobody_swept_for(1.0)
        worker = next((i for i in self.model.draining if i != but), None)
        if by == "claim" and worker:
            assert self.queue.claim(worker, 0, ["default"]).jobs == []
        elif by == "renew":
            self.queue.renew("stranger", [])
        else:
            assert self.queue.tick().moved > 0
