"""What workers say and ask."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from .. import calls
from ..call import Lease
from ..fleet import Message, Renewal, WorkerInfo
from ..model import Claims, Finish
from ..status import Cause, Verdict
from .sender import Sender


class Workers(Sender):
    """Registering, claiming, reporting, finishing."""

    def register(self, info: WorkerInfo) -> None:
        """Make a worker known; leases of the name's older incarnation are released.

        Raises `Superseded` when a newer incarnation replaced this one already.
        """
        self._call(calls.register(info))

    def renew(self, incarnation: str, leases: Sequence[Lease]) -> Renewal:
        """Heartbeat: renew the worker's lease. `leases` must be all jobs it has.

        That is every job claimed and not yet acknowledged as finished. A job that was
        claimed for this worker over half a lease ago, never started and is not in
        `leases` was lost with a cut reply: it goes back to its queue.
        """
        return self._call(calls.renew(incarnation, leases))

    def claim(
        self, incarnation: str, room: int, queues: Sequence[str], *, prefetch: int = 0
    ) -> Claims:
        """Lease jobs: up to `room` to run now, and up to `prefetch` more of a long queue.

        No jobs when draining. Call it after each wake, even with room 0. Raises
        `UnknownWorker` when Redis does not know the incarnation.
        """
        return self._call(calls.claim(incarnation, room, queues, prefetch=prefetch))

    def start(self, incarnation: str, leases: Sequence[Lease]) -> builtins.list[Verdict]:
        """Say that claimed jobs run now."""
        return self._call(calls.start(incarnation, leases))

    def report(
        self,
        job_id: str,
        attempt: int,
        *,
        step: str | None = None,
        progress: float | None = None,
        checkpoint: str | None = None,
    ) -> Verdict:
        """Write how far a job is; `progress` is 0..100, None leaves a field alone."""
        found = calls.report(job_id, attempt, step=step, progress=progress, checkpoint=checkpoint)
        return self._call(found)

    def finish(
        self,
        incarnation: str,
        finishes: Sequence[Finish],
        *,
        room: int = 0,
        prefetch: int = 0,
        queues: Sequence[str] = (),
    ) -> tuple[builtins.list[Verdict], Claims]:
        """End attempts and, in the same call, claim further jobs (see `claim`)."""
        found = calls.finish(incarnation, finishes, room=room, prefetch=prefetch, queues=queues)
        return self._call(found)

    def hand_back(
        self, incarnation: str, leases: Sequence[Lease], cause: Cause | None
    ) -> builtins.list[Verdict]:
        """Return jobs unfinished to the head of their queues, at no cost to them.

        `cause` None: they were held in advance and never began.
        """
        return self._call(calls.hand_back(incarnation, leases, cause))

    def deregister(self, incarnation: str) -> None:
        """Forget a worker that exits; what it still holds is handed back."""
        self._call(calls.deregister(incarnation))

    def wait_message(self, incarnation: str, timeout: float) -> Message | None:
        """Block until the worker is told something, at most `timeout` or 5 s."""
        return self._read(calls.wait_message(incarnation, timeout))

    def wait_work(self, queues: Sequence[str], timeout: float) -> bool:
        """Block until a queue may have work, at most `timeout` or 5 s; then claim."""
        return self._read(calls.wait_work(queues, timeout))

    def wait_jobs(
        self, incarnation: str, room: int, queues: Sequence[str], timeout: float
    ) -> Claims | None:
        """Block until up to `room` jobs are handed over, at most `timeout` or 5 s (then None).

        They are leased as by `claim`. No jobs: one of the queues may have work; then claim.
        Whoever is handed something, or drains, waits no more; a claim meanwhile says anew
        how much room there is. Raises `UnknownWorker`.
        """
        return self._call_and_read(
            calls.wait(incarnation, room, queues), calls.wait_handed(incarnation, queues, timeout)
        )
