"""What workers do: claim, run, end and give back jobs, come, drain and die."""

from __future__ import annotations

import hypothesis.strategies as st

from jobctl.queue import Cause, Finish, Outcome, Status, Verdict, WorkerInfo
from tests.property.queue_model_places import ModelJob
from tests.property.queue_moves import FATES, ORDERS, QUEUES, YES_NO, QueueMoves

CODES = st.sampled_from([1, 64, 75])
OUTCOMES = st.one_of(
    st.just(Outcome(True, exit_code=0)),
    st.sampled_from(Cause).map(lambda cause: Outcome(False, cause, reason="because")),
    CODES.map(lambda code: Outcome(False, Cause.EXIT, exit_code=code)),
    st.just(Outcome(True, result='{"a": 1}')),
)


CONTAINERS = {"worker-1": "c1", "worker-2": "c1", "worker-3": "c3"}


class WorkerMoves(QueueMoves):
    """Each move may be cut, and made again."""

    def register(self, name: str, fate: str) -> None:
        incarnation = f"inc-{next(self.incarnations)}"
        self.model.register(name, incarnation)
        info = WorkerInfo(name, "default", CONTAINERS[name], incarnation, 2, QUEUES)
        self.cut(fate, lambda queue: queue.register(info))
        self.queue.register(info)
        self.model.cascade()

    def claim(self, data: st.DataObject, worker: str) -> None:
        room, queues = data.draw(st.sampled_from([2, 1, 4, 0])), data.draw(ORDERS)
        prefetch = data.draw(st.sampled_from([0, 0, 3]))
        if data.draw(YES_NO) and self.can_claim(queues):
            assert self.queue.wait_work(queues, 0.01)
        self.tending(data.draw(YES_NO))
        if self.cut(data.draw(FATES), lambda q: q.claim(worker, room, queues, prefetch=prefetch)):
            unheard = self.model.claim(worker, room, queues, prefetch)
            self.handed_out(unheard)
            self.lost.update(unheard)
        expected = self.model.claim(worker, room, queues, prefetch)
        jobs = self.queue.claim(worker, room, queues, prefetch=prefetch).jobs
        assert [(job.id, job.attempt) for job in jobs] == self.handed_out(expected)

    def can_claim(self, queues: list[str]) -> bool:
        return any(self.model.waiting(q) for q in queues if not self.model.paused(q))

    def handed_out(self, ids: list[str]) -> list[tuple[str, int]]:
        self.lost.difference_update(ids)
        leases = [(i, self.model.jobs[i].attempt) for i in ids]
        self.past.update(leases)
        return leases

    def start(self, data: st.DataObject, job: ModelJob) -> None:
        self.lost.discard(job.id)
        verdict = self.model.start(job.id, job.attempt)
        leases = [(job.id, job.attempt)]
        self.cut(data.draw(FATES), lambda queue: queue.start(job.holder, leases))
        assert self.queue.start(job.holder, leases) == [verdict]

    def finish(self, data: st.DataObject, job: ModelJob) -> None:
        """The end of one job or of all its worker has, some said twice; and a claim."""
        worker = job.holder
        jobs = self.model.held(worker) if data.draw(YES_NO) else [job]
        items = [Finish(j.id, j.attempt, data.draw(OUTCOMES), started_at=1000) for j in jobs]
        if data.draw(st.integers(0, 4)) == 4:
            items.append(items[0])
        self.lost.difference_update(j.id for j in jobs)
        room, queues = data.draw(st.integers(0, 2)), data.draw(ORDERS)
        # Whether what follows from the ends comes before the claim must be known.
        tending = room > 0 or data.draw(YES_NO)
        expected = self.ended(items)
        self.tending(tending)
        if self.cut(data.draw(FATES), lambda q: q.finish(worker, items, room=room, queues=queues)):
            unheard = self.model.claim(worker, room, queues)
            self.handed_out(unheard)
            self.lost.update(unheard)
            self.model.cascade()
            expected = self.ended(items)
            self.tending(tending)
        claimed = self.model.claim(worker, room, queues)
        verdicts, claims = self.queue.finish(worker, items, room=room, queues=queues)
        assert verdicts == expected
        assert [(j.id, j.attempt) for j in claims.jobs] == self.handed_out(claimed)
        self.model.cascade()

    def ended(self, items: list[Finish]) -> list[Verdict]:
        """What the model says to ends; successes come first."""
        found: dict[int, Verdict] = {}
        for good in (True, False):
            for at, item in enumerate(items):
                if item.outcome.succeeded is good:
                    found[at] = self.model.finish(item.id, item.attempt, item.outcome)
        return [found[at] for at in range(len(items))]

    def hand_back(self, data: st.DataObject, job: ModelJob) -> None:
        lease = [(job.id, job.attempt)]
        holder, cause = job.holder, data.draw(st.sampled_from([Cause.SCALE_DOWN, None]))
        again = self.cut(data.draw(FATES), lambda q: q.hand_back(holder, lease, cause))
        self.model.hand_back(job)
        self.model.waits.pop(holder, None)
        self.model.cascade()
        answer = Verdict.STALE if again else Verdict.OK
        assert self.queue.hand_back(holder, lease, cause) == [answer]
        self.lost.discard(job.id)

    def release(self, data: st.DataObject, name: str) -> None:
        worker, cause = self.model.names[name], data.draw(st.sampled_from(sorted(Cause)))
        again = self.cut(data.draw(FATES), lambda queue: queue.release(worker, cause))
        released = self.model.release(worker, cause)
        self.model.cascade()
        assert self.queue.release(worker, cause) == (0 if again else released)

    def release_container(self, data: st.DataObject, name: str) -> None:
        """A container ended: all its workers are dead, unless they are of its next life."""
        container, cause = CONTAINERS[name], data.draw(st.sampled_from(sorted(Cause)))
        before = data.draw(st.sampled_from([1, self.lab.now_ms() + 60_000]))
        dead = [n for n in self.model.names if CONTAINERS[n] == container and before > 1]
        again = self.cut(
            data.draw(FATES), lambda queue: queue.release_container(container, before, cause)
        )
        released = self.model.release_all(dead, cause)
        self.model.cascade()
        found = self.queue.release_container(container, before, cause, "it is dead")
        assert found == (0 if again else released)

    def deregister(self, data: st.DataObject, name: str) -> None:
        worker = self.model.names[name]
        self.model.deregister(worker)
        self.cut(data.draw(FATES), lambda queue: queue.deregister(worker))
        self.queue.deregister(worker)
        self.model.cascade()

    def drain(self, data: st.DataObject, name: str) -> None:
        # So long that it is never over, and so short that it always is.
        grace = data.draw(st.sampled_from([None, 600.0, 0.0]))
        self.model.drain(self.model.names[name], grace)
        self.cut(data.draw(FATES), lambda queue: queue.drain(name, grace))
        self.queue.drain(name, grace)

    def undrain(self, data: st.DataObject, name: str) -> None:
        self.model.undrain(self.model.names[name])
        self.cut(data.draw(FATES), lambda queue: queue.undrain(name))
        self.queue.undrain(name)

    def renew(self, data: st.DataObject, name: str) -> None:
        """A heartbeat; what was lost in a claim's reply long ago comes back."""
        worker = self.model.names[name]
        held = self.model.held(worker)
        # One that runs is not taken back, though it be left out.
        silent = data.draw(YES_NO)
        known = [
            (job.id, job.attempt)
            for job in held
            if job.id not in self.lost and not (silent and job.status is Status.RUNNING)
        ]
        for job in held:
            self.lab.age_claim(job.id)
            if job.id in self.lost and job.status is Status.CLAIMED:
                self.model.hand_back(job)
                self.model.unread.pop(worker, None)
        self.model.cascade()
        self.lost -= {job.id for job in held}
        self.cut(data.draw(FATES), lambda queue: queue.renew(worker, known))
        renewal = self.queue.renew(worker, known)
        assert renewal.known
        assert renewal.draining == self.model.draining[worker]
        assert renewal.verdicts == [Verdict.OK] * len(known)

    def late_write(self, data: st.DataObject) -> None:
        """Whatever a former holder still sends, only the present one is heard."""
        job_id, attempt = data.draw(st.sampled_from(sorted(self.past)))
        answer = self.model.fence(job_id, attempt)
        if answer is Verdict.OK:
            return
        lease, outcome = [(job_id, attempt)], data.draw(OUTCOMES)
        assert self.queue.start("ghost", lease) == [answer]
        assert self.queue.report(job_id, attempt, step="late") is answer
        assert self.queue.hand_back("ghost", lease, Cause.SCALE_DOWN) == [answer]
        assert self.queue.renew("ghost", lease).verdicts == [answer]
        expected = self.model.finish(job_id, attempt, outcome)
        # Or the worker that has another attempt of it now says so.
        job = self.model.jobs.get(job_id)
        sender = job.holder if job and job.status in HELD else "ghost"
        assert self.queue.finish(sender, [Finish(job_id, attempt, outcome)])[0] == [expected]


HELD = {Status.CLAIMED, Status.RUNNING}
