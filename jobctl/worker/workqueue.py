"""What the worker asks of the queue: the narrow part of `jobctl.queue.Queue` it uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jobctl.queue import Cause, Claims, Finish, Message, Renewal, Verdict, WorkerInfo

Held = tuple[str, int]
"""A job's id and the attempt that is its fence."""


class WorkQueue(Protocol):
    """Safe to use from many threads at once. Every call may raise QueueError."""

    def register(self, info: WorkerInfo) -> None:
        """Makes this worker known; ends the lease of its former incarnation."""

    def deregister(self, incarnation: str) -> None:
        """Leaves; what is still held goes back to the queue."""

    def renew(self, incarnation: str, held: Sequence[Held], /) -> Renewal:
        """The heartbeat, with all jobs there are: others of this worker are given up."""

    def claim(
        self, incarnation: str, room: int, queues: Sequence[str], *, prefetch: int = 0
    ) -> Claims:
        """Takes jobs that can run now, and up to `prefetch` to hold; none while draining."""

    def start(self, incarnation: str, held: Sequence[Held], /) -> list[Verdict]:
        """Writes that these attempts run."""

    def report(
        self,
        job_id: str,
        attempt: int,
        *,
        step: str | None = None,
        progress: float | None = None,
        checkpoint: str | None = None,
    ) -> Verdict:
        """Writes what the job says of itself."""

    def finish(
        self,
        incarnation: str,
        finishes: Sequence[Finish],
        *,
        room: int = 0,
        prefetch: int = 0,
        queues: Sequence[str] = (),
    ) -> tuple[list[Verdict], Claims]:
        """Ends attempts and claims the next jobs in the same call."""

    def hand_back(
        self, incarnation: str, held: Sequence[Held], cause: Cause | None, /
    ) -> list[Verdict]:
        """Puts jobs back at the head of their queues; costs them nothing.

        `cause` None: they never began.
        """

    def take_litter(self, n: int) -> list[str]:
        """Ids of pruned jobs whose folders are to be deleted, leased for a minute."""

    def drop_litter(self, ids: Sequence[str]) -> None:
        """Their folders are gone."""

    def wait_jobs(
        self, incarnation: str, room: int, queues: Sequence[str], timeout: float
    ) -> Claims | None:
        """Blocks until jobs are handed over, at most `timeout` seconds (then None).

        No jobs: there may be some; then claim.
        """

    def wait_message(self, incarnation: str, timeout: float) -> Message | None:
        """Blocks until there is a message, at most `timeout` seconds."""
