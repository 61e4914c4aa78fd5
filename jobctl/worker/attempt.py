"""One claimed attempt of a job, as the threads of the supervisor share it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jobctl.queue import Job

from .cause import Stop

# A user's cancel outlasts the worker's own reasons; whose job it no longer is, has no say.
_RANK = {Stop.HAND_BACK: 0, Stop.TIMEOUT: 0, Stop.CANCEL: 1, Stop.TAKEN_OVER: 2}


@dataclass(frozen=True)
class Order:
    """To end the job: SIGTERM now, SIGKILL at `kill_at` (time.monotonic)."""

    why: Stop
    kill_at: float


class Attempt:
    """A job and its fence; any thread may order its end, one thread carries it out."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.fence = (job.id, job.attempt)
        self._lock = threading.Lock()
        self._order: Order | None = None
        # Readable after an order, so that the thread in charge can poll for it.
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closed = False

    @property
    def order(self) -> Order | None:
        """The order to end, if there is one."""
        return self._order

    @property
    def lost(self) -> bool:
        """Whether the job belongs to somebody else now: nothing may be written for it."""
        return self._order is not None and self._order.why is Stop.TAKEN_OVER

    def end(self, why: Stop, grace: float) -> None:
        """Orders the end within `grace` seconds. Orders add up: the earliest end counts."""
        kill_at = time.monotonic() + grace
        with self._lock:
            if self._closed:
                return
            former = self._order
            if former is not None:
                why = why if _RANK[why] > _RANK[former.why] else former.why
                kill_at = min(kill_at, former.kill_at)
            self._order = Order(why, kill_at)
            os.eventfd_write(self.wake, 1)

    def close(self) -> None:
        """No order reaches it any more."""
        with self._lock:
            self._closed = True
            os.close(self.wake)


class Held:
    """The attempts this worker holds leases on: from the claim to the acknowledged end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: dict[tuple[str, int], Attempt] = {}

    def add(self, attempt: Attempt) -> None:
        """Holds it from now on."""
        with self._lock:
            self._attempts[attempt.fence] = attempt

    def remove(self, attempt: Attempt) -> None:
        """Lets it go."""
        with self._lock:
            self._attempts.pop(attempt.fence, None)
        attempt.close()

    def all(self) -> list[Attempt]:
        """All of them, now."""
        with self._lock:
            return list(self._attempts.values())

    def find(self, job_id: str, attempt: int) -> Attempt | None:
        """The one with this fence."""
        with self._lock:
            return self._attempts.get((job_id, attempt))


class Activity:
    """Which slots have processes, to know afterwards whether a job was alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alone: dict[Attempt, bool] = {}

    def enter(self, attempt: Attempt) -> None:
        """Its processes may run from now on."""
        with self._lock:
            alone = not self._alone
            if not alone:
                self._alone = dict.fromkeys(self._alone, False)
            self._alone[attempt] = alone

    def was_alone(self, attempt: Attempt) -> bool:
        """Whether no other job ran here since `enter`."""
        with self._lock:
            return self._alone[attempt]

    def leave(self, attempt: Attempt) -> None:
        """Its processes have ended."""
        with self._lock:
            del self._alone[attempt]

    @contextmanager
    def pause_others(self, attempt: Attempt) -> Iterator[bool]:
        """True if no other job runs; then none begins before the block ends."""
        with self._lock:
            yield len(self._alone) == 1 and attempt in self._alone
