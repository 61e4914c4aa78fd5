"""What time, the master and operators do: ticks, states of queues, retention, restores."""

from __future__ import annotations

import random
from typing import Any

import hypothesis.strategies as st

from jobctl.queue import Cause, Keep, QueueState, Retention, Status
from jobctl.queue.backup import BackupReader, BackupWriter
from tests.property.queue_model_places import ModelJob
from tests.property.queue_moves import FATES, ORDERS, QUEUES, YES_NO
from tests.property.queue_moves_waiting import WaitingMoves
from tests.support.leaks import leaks

STRIDE = 2**45


class OperatorMoves(WaitingMoves):
    """Nothing here waits: instants are moved instead."""

    def expire(self, data: st.DataObject, job: ModelJob) -> None:
        worker, limit = job.holder, data.draw(st.sampled_from([2, 100]))
        self.lab.expire(worker)
        while held := self.model.held(worker):
            for lost in held[:limit]:
                self.lost.discard(lost.id)
                self.model.lose(lost, Cause.WORKER_LOST)
            # Some of the rest may be of an array that is over with this.
            self.model.cascade()
            if limit == 2 or len(held) > 10:
                # The lease has ended for all, but only so many are looked at in one call.
                self.lab.nobody_swept_for(1.0)
                assert self.queue.tick(limit).moved >= min(limit, len(held))
                self.model.offer_places()
            else:
                self.somebody_looks(data, but=worker)

    def extend_lease(self, data: st.DataObject, name: str) -> None:
        """The worker is silent, and the controller knows why."""
        worker, until = self.model.names[name], self.lab.now_ms() + 60_000
        self.lab.expire(worker)
        self.cut(data.draw(FATES), lambda queue: queue.extend_lease(worker, until))
        assert self.queue.extend_lease(worker, until)
        assert not self.queue.extend_lease("stranger", until)
        self.tick(data)

    def promote(self, data: st.DataObject) -> None:
        job = self.pick(data, Status.SCHEDULED)
        self.model.enqueue(job)
        self.lab.make_due(job.id)
        self.somebody_looks(data)

    def somebody_looks(self, data: st.DataObject, but: str = "") -> None:
        """Anyone but that one, whose every word would renew its lease."""
        by = data.draw(st.sampled_from(["tick", "claim", "renew"]))
        self.lab.nobody_swept_for(1.0)
        worker = next((i for i in self.model.draining if i != but), None)
        if by == "claim" and worker:
            room, queues = data.draw(st.integers(0, 2)), data.draw(ORDERS)
            expected = self.model.claim(worker, room, queues)
            jobs = self.queue.claim(worker, room, queues).jobs
            assert [(job.id, job.attempt) for job in jobs] == self.handed_out(expected)
        elif by == "renew":
            self.queue.renew("stranger", [])
        else:
            assert self.queue.tick().moved > 0
            self.model.offer_places()

    def set_state(self, data: st.DataObject) -> None:
        queue, state = data.draw(st.sampled_from(QUEUES)), data.draw(st.sampled_from(QueueState))
        word = {"open": "resume", "paused": "pause", "draining": "drain_queue"}[state]
        self.model.states[queue] = state
        self.cut(data.draw(FATES), lambda q: getattr(q, word)(queue))
        getattr(self.queue, word)(queue)

    def tick(self, data: st.DataObject) -> None:
        if self.cut(data.draw(FATES), lambda queue: queue.tick()):
            self.model.offer_places()
        self.queue.tick()
        self.model.offer_places()

    def prune(self, data: st.DataObject) -> None:
        """Some go, or all that nothing keeps; never others."""
        count, limit = data.draw(st.sampled_from([0, 0, 1, 3])), data.draw(st.sampled_from([1, 99]))
        rules = Retention(*(Keep(count=count) for _ in range(3)))
        self.cut(data.draw(FATES), lambda queue: queue.prune(rules, limit))
        while self.queue.prune(rules, limit) and count == 0:
            pass
        ids = list(self.model.jobs)
        gone = [i for i, job in zip(ids, self.queue.get_many(ids), strict=True) if job is None]
        assert all(self.model.deletable(self.model.jobs[i]) for i in gone)
        for status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
            before = len(self.model.with_status(status))
            after = before - sum(self.model.jobs[i].status is status for i in gone)
            assert after >= min(before, count)
        self.model.delete(gone)
        if count == 0 and limit == 99:
            assert not any(self.model.deletable(job) for job in self.model.jobs.values())
        self.litter.update(gone)

    def sweep_up(self, data: st.DataObject) -> None:
        """A worker removes the folders of deleted jobs, or dies with them in its hands."""
        taken = self.queue.take_litter(data.draw(st.integers(1, 4)))
        assert set(taken) <= self.litter
        if data.draw(YES_NO):
            self.cut(data.draw(FATES), lambda queue: queue.drop_litter(taken))
            self.queue.drop_litter(taken)
            self.litter.difference_update(taken)

    def move_house(self, data: st.DataObject) -> None:
        """A backup is restored into another project, in pieces; the old one is lost."""
        records = self.backup(data.draw(st.integers(0, 99)))
        self.close_project()
        self.open_project()
        step = data.draw(st.sampled_from([1, 3, 100]))
        pieces = [records[at : at + step] for at in range(0, len(records), step)]
        for piece in [*pieces[: data.draw(st.sampled_from([0, 0, 2]))], *pieces]:
            self.restore(piece, data.draw(FATES))
        stood = {q: [job.id for job in self.model.waiting(q)] for q in QUEUES}
        self.model.restore()
        self.lost.clear()
        self.litter.clear()
        for queue in QUEUES:
            self.adopt_places(queue, stood[queue])

    def restore(self, piece: list[dict[str, Any]], fate: str) -> None:
        self.cut(fate, lambda queue: queue.restore(piece))
        self.queue.restore(piece)

    def backup(self, seed: int) -> list[dict[str, Any]]:
        """All records; those of jobs in any order, as SCAN gives them."""
        writer, reader = BackupWriter(self.lab.project, self.lab.now_ms()), BackupReader()
        records: list[dict[str, Any]] = []
        cursor = ""
        while cursor != "0":
            cursor, page = self.queue.backup_page(cursor or "0")
            records += reader.feed(writer.add(page))
        records += reader.feed(writer.end())
        jobs = [record for record in records if record["kind"] == "job"]
        jobs.sort(key=lambda record: str(record["fields"]["id"]))
        random.Random(seed).shuffle(jobs)
        others = [record for record in records if record["kind"] != "job"]
        return others + jobs + reader.end()

    def adopt_places(self, queue: str, stood: list[str]) -> None:
        """Jobs stand as they stood; where those that came back do among them is free."""
        behind: Any = self.lab.redis
        found = behind.zrange(f"{self.lab.prefix}queue:{queue}", 0, -1, withscores=True)
        ids = [job_id for job_id, _ in found]
        assert sorted(ids) == sorted(job.id for job in self.model.waiting(queue))
        assert [i for i in ids if i in stood] == stood
        for job_id, score in found:
            job = self.model.jobs[job_id]
            number = int(score) + job.spec.priority * STRIDE
            assert abs(number) < STRIDE // 2
            job.place = (-job.spec.priority, number)
            self.model.head = min(self.model.head, number)
            self.model.tail = max(self.model.tail, number)
        assert leaks(behind, self.lab.project) == []
