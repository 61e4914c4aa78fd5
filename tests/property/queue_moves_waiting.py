"""Workers that wait for jobs, and read what they were handed late or never."""

from __future__ import annotations

import hypothesis.strategies as st

from tests.property.queue_moves import FATES, ORDERS
from tests.property.queue_moves_workers import WorkerMoves


class WaitingMoves(WorkerMoves):
    """At most one waits at a time: milliseconds tell who waits longest."""

    def wait(self, data: st.DataObject) -> None:
        """It reads what it was handed before; if that was nothing, it waits."""
        worker = data.draw(st.sampled_from(sorted(self.model.draining)))
        room, queues = data.draw(st.sampled_from([2, 1, 4, 0])), data.draw(ORDERS)
        if worker not in self.model.waits:
            self.nobody_waits()
        if self.cut(data.draw(FATES), lambda q: q.wait_jobs(worker, room, queues, 0.001)):
            # What this brought, if anything, nobody ever read.
            self.model.wait(worker, room, queues)
            self.hand_over()
            self.model.unread.pop(worker, None)
            self.look(worker, queues)
        self.model.wait(worker, room, queues)
        self.hand_over()
        claims = self.queue.wait_jobs(worker, room, queues, 0.001)
        jobs = [] if claims is None else claims.jobs
        expected = self.model.unread.pop(worker, [])
        assert [(job.id, job.attempt) for job in jobs] == expected
        self.lost.difference_update(job.id for job in jobs)
        if claims is not None and not jobs:
            self.look(worker, queues)

    def look(self, worker: str, queues: list[str]) -> None:
        """After a token, or when one may have been lost; it has no room any more."""
        self.tending(False)
        self.model.claim(worker, 0, queues)
        assert self.queue.claim(worker, 0, queues).jobs == []

    def hand_over(self) -> None:
        """What Redis does at the end of every call."""
        for worker, ids in self.model.hand_over():
            self.model.unread[worker] = self.handed_out(ids)
            self.lost.update(ids)

    def nobody_waits(self) -> None:
        """A claim with no room ends it."""
        for worker in list(self.model.waits):
            self.queue.claim(worker, 0, ["default"])
            self.model.waits.pop(worker)
