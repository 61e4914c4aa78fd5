"""Starting executors, and what to do when they do not start. Never in a busy loop."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable

from jobctl.queue import Cause, Outcome

from ..cause import exit_reason
from ..lane import Shop
from ..pauses import pauses
from ..settings import JobUser
from .process import ExecutorProcess

# How long a start is tried again when the worker is out of processes or memory.
_START_PATIENCE = 5.0
# Executors that end before they did anything, one after the other: then it is no accident.
_MOST_FAILURES = 3
_PAUSE = 0.05
_REST_AFTER_TROUBLE = 1.0
# Starved of CPU, even a healthy Python takes long.
_HELLO_PATIENCE = 60.0
_LAST_WORDS = 2000


class NoExecutor(Exception):
    """There is none to be had: the `outcome` of jobs that need one; None: hand them back."""

    def __init__(self, reason: str, outcome: Outcome | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome


class Starter:
    """Starts a slot's executors and remembers how that went."""

    def __init__(self, shop: Shop, user: JobUser | None) -> None:
        self._shop = shop
        self._user = user
        self._failures = 0
        self._status: int | None = None
        self._words = b""
        self._ready_by = 0.0

    def start(self, unwanted: Callable[[], bool]) -> ExecutorProcess:
        """A new executor, perhaps not ready yet. NoExecutor if that has become hopeless."""
        if self._failures >= _MOST_FAILURES:
            self._failures = _MOST_FAILURES - 1  # the next ones get one more chance
            time.sleep(_REST_AFTER_TROUBLE)
            raise self._verdict()
        if self._failures:
            time.sleep(_PAUSE * 2**self._failures)
        self._words = b""
        executor = self._spawn(unwanted)
        self._ready_by = time.monotonic() + _HELLO_PATIENCE
        return executor

    def heard(self, data: bytes) -> None:
        """What it printed before it was ready: if it never is, that says why."""
        self._words = (self._words + data)[-_LAST_WORDS:]

    @property
    def sound(self) -> bool:
        """Whether the last executor did some work."""
        return self._failures == 0

    @property
    def overdue(self) -> bool:
        """Whether it takes longer to start than any Python should."""
        return time.monotonic() > self._ready_by

    def ended(self, executor: ExecutorProcess, status: int | None) -> None:
        """An executor is gone; `status` as subprocess has it, None if it had to be killed."""
        self._status = None if executor.ready else status
        self._failures = 0 if executor.answered else self._failures + 1

    def _spawn(self, unwanted: Callable[[], bool]) -> ExecutorProcess:
        give_up = time.monotonic() + _START_PATIENCE
        for pause in pauses():
            try:
                return ExecutorProcess(self._shop.settings, self._user)
            except OSError as error:
                passing = error.errno in (errno.EAGAIN, errno.ENOMEM)
                if unwanted():
                    break
                if not passing or time.monotonic() > give_up:
                    time.sleep(_REST_AFTER_TROUBLE)
                    raise NoExecutor(str(error)) from None
            time.sleep(pause)
        raise NoExecutor("no job wants it any more")

    def _verdict(self) -> NoExecutor:
        lines = self._words.decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "no word")
        if self._status is None or self._status <= 0:
            return NoExecutor(f"it ended {_MOST_FAILURES} times before it did anything: {said}")
        python = self._shop.settings.python
        reason = (
            f"cannot be started: this pool's Python {python!r} does not start "
            f"({exit_reason(self._status)}): {said}"
        )
        return NoExecutor(reason, Outcome(False, Cause.REJECTED, reason=reason[:500]))
