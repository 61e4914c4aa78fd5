"""One claimed attempt of a job, as the threads of the supervisor share it."""

# What is done to many attempts takes the lock once: a call for each would cost more than it does.
# ruff: noqa: SLF001

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cause import Stop

if TYPE_CHECKING:
    from jobctl.queue import ClaimedJob

# A user's cancel outlasts the worker's own reasons; whose job it no longer is, has no say.
_RANK = {Stop.HAND_BACK: 0, Stop.TIMEOUT: 0, Stop.CANCEL: 1, Stop.TAKEN_OVER: 2}

# One for all attempts: orders are rare, attempts are made ten thousand times a second.
_ordering = threading.Lock()


@dataclass(frozen=True)
class Order:
    """To end the job: SIGTERM now, SIGKILL at `kill_at` (time.monotonic)."""

    why: Stop
    kill_at: float


class Attempt:
    """A job and its fence; any thread may order its end, the lane that runs it carries it out.

    Cheap to make, as most attempts of functions never get an order: no lock and no file
    descriptor before somebody needs one.
    """

    __slots__ = ("_closed", "_fd", "_on_order", "fence", "job", "order", "since", "start_logged")

    def __init__(self, job: ClaimedJob, since: float = 0.0) -> None:
        self.job = job
        self.since = since
        """When this worker got it (time.monotonic)."""
        self.fence: tuple[str, int] = (job.id, job.attempt)
        self.order: Order | None = None
        """The order to end, if there is one. Only `end` writes it."""
        self.start_logged = False
        """Whether the worker's log has its start: that of a command that ran for 100 ms."""
        self._on_order: Callable[[], None] | None = None
        self._fd = -1
        self._closed = False

    @property
    def lost(self) -> bool:
        """Whether the job belongs to somebody else now: nothing may be written for it."""
        return self.order is not None and self.order.why is Stop.TAKEN_OVER

    @property
    def wake(self) -> int:
        """An eventfd, readable after an order; made on first use, closed by `close`."""
        if self._fd < 0:
            self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            fd = self._fd
            self.on_order(lambda: os.eventfd_write(fd, 1))
        return self._fd

    def on_order(self, wake: Callable[[], None] | None) -> None:
        """Calls `wake`, in whatever thread orders, after each order; now if there is one.

        One attempt has one such listener; None takes it away.
        """
        with _ordering:
            self._on_order = wake
            if wake is not None and self.order is not None:
                wake()

    def end(self, why: Stop, grace: float) -> None:
        """Orders the end within `grace` seconds. Orders add up: the earliest end counts."""
        kill_at = time.monotonic() + grace
        with _ordering:
            if self._closed:
                return
            former = self.order
            if former is not None:
                why = why if _RANK[why] > _RANK[former.why] else former.why
                kill_at = min(kill_at, former.kill_at)
            self.order = Order(why, kill_at)
            if self._on_order is not None:
                self._on_order()

    def close(self) -> None:
        """No order reaches it any more."""
        close_all((self,))


def on_orders(attempts: Iterable[Attempt], wake: Callable[[], None] | None) -> None:
    """`on_order` for all of them."""
    ordered = False
    with _ordering:
        for attempt in attempts:
            attempt._on_order = wake
            ordered = ordered or attempt.order is not None
        if ordered and wake is not None:
            wake()


def close_all(attempts: Iterable[Attempt]) -> None:
    """No order reaches any of them any more."""
    with _ordering:
        for attempt in attempts:
            attempt._closed = True
            attempt._on_order = None
            if attempt._fd >= 0:
                os.close(attempt._fd)


class Held:
    """The attempts this worker holds: from the claim to the acknowledged end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: dict[tuple[str, int], Attempt] = {}

    def add(self, attempts: Iterable[Attempt]) -> None:
        """Holds them from now on."""
        with self._lock:
            for attempt in attempts:
                self._attempts[attempt.fence] = attempt

    def remove(self, attempts: Sequence[Attempt]) -> None:
        """Lets them go; no order reaches them any more."""
        with self._lock:
            for attempt in attempts:
                self._attempts.pop(attempt.fence, None)
        close_all(attempts)

    def all(self) -> list[Attempt]:
        """All of them, now."""
        with self._lock:
            return list(self._attempts.values())

    def find(self, job_id: str, attempt: int) -> Attempt | None:
        """The one with this fence."""
        with self._lock:
            return self._attempts.get((job_id, attempt))

    def __len__(self) -> int:
        return len(self._attempts)


class Activity:
    """Which lanes have processes at work, to know afterwards whether one was alone.

    A lane enters with whatever stands for its work: an attempt, or itself for a batch.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alone: dict[object, bool] = {}

    def enter(self, who: object) -> None:
        """Its processes may run from now on."""
        with self._lock:
            alone = not self._alone
            if not alone:
                self._alone = dict.fromkeys(self._alone, False)
            self._alone[who] = alone

    def was_alone(self, who: object) -> bool:
        """Whether no other job ran here since `enter`."""
        with self._lock:
            return self._alone[who]

    def leave(self, who: object) -> None:
        """Its processes have ended."""
        with self._lock:
            del self._alone[who]

    @contextmanager
    def pause_others(self, who: object) -> Iterator[bool]:
        """True if no other job runs; then none begins before the block ends."""
        with self._lock:
            yield len(self._alone) == 1 and who in self._alone
