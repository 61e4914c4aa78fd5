"""The limits and orders of the job that runs in an executor, and of those behind it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

from ..attempt import Attempt
from ..cause import Stop
from ..lane import UNSTARTED, Done, Listener, unstarted
from .process import ExecutorProcess
from .protocol import CANCEL, CURRENT, STARTED, STOP

LONG = 0.1
"""A job that runs so long (s) is written as started, and those behind it go elsewhere."""

# How often to look while no job has run that long. What an executor says soon after something else
# is seen only then.
_INTERVAL = LONG

# Between the word STOP and a look at CURRENT: far longer than a processor keeps a write back.
_SETTLE = 0.001


class Limits:
    """Looks after one batch. `left`: its jobs that have not ended, by number; `waiting`:
    those that no executor has, which is where recalled ones go.

    An order is carried out only after the batch is recalled: from then on nothing can begin
    behind the job that is meant, and nothing else is hit. Times are of time.monotonic.
    """

    def __init__(
        self,
        executor: ExecutorProcess,
        batch: int,
        left: dict[int, Attempt],
        waiting: deque[Attempt],
        *,
        listener: Listener,
        done: Done,
        fetch: Callable[[], None],
    ) -> None:
        self._executor = executor
        self._batch = batch
        self._left = left
        self._listener = listener
        self._done = done
        self._fetch = fetch
        self._waiting = waiting
        timeouts = [a.job.timeout or _INTERVAL for a in left.values() if not a.job.plain]
        self.interval = min(_INTERVAL, *timeouts) if timeouts else _INTERVAL
        """How often to look as long as it is not clear which job runs how long."""
        self._recalled = False
        self._told_started = 0
        self._stopping = 0
        self._stopped: Stop | None = None
        self._killed = False

    @property
    def stopping(self) -> bool:
        """Whether some job of the batch was told to end."""
        return self._stopping != 0

    def stopped(self, seq: int) -> Stop | None:
        """Why this job was told to end, if it was."""
        return self._stopped if self._stopping == seq else None

    def look(self) -> float:
        """Does what is due, and says when to look again."""
        self._fetch()
        words = self._executor.words
        now = time.monotonic()
        seq = words[CURRENT]
        attempt = self._left.get(seq)
        due = now + self.interval
        if attempt is not None:
            due = self._keep(seq, attempt, now - words[STARTED] / 1e9, due)
        if any(a.order is not None for s, a in self._left.items() if s != seq):
            self.recall()
        self._part_with_ordered()
        return due

    def _keep(self, seq: int, attempt: Attempt, ran: float, due: float) -> float:
        timeout = math.inf if attempt.job.timeout is None else attempt.job.timeout
        if ran >= LONG and self._told_started != seq:
            self._told_started = seq
            self._listener.started(attempt)
            self.recall()
            self._give_back()
        if ran >= timeout and self._stopping != seq:
            attempt.end(Stop.TIMEOUT, attempt.job.grace)
        if attempt.order is not None:
            self._carry_out(seq, attempt)
        if self._told_started != seq:
            return due
        # Now every instant that counts is known: no more looking in between.
        began = time.monotonic() - ran
        kill_at = math.inf if attempt.order is None or self._killed else attempt.order.kill_at
        return min(kill_at, math.inf if self._stopping == seq else began + timeout)

    def _carry_out(self, seq: int, attempt: Attempt) -> None:
        self.recall()
        order, words = attempt.order, self._executor.words
        # It may just have ended. If not, nothing can begin before the next batch is sent.
        if order is None or seq not in self._left or words[CURRENT] != seq:
            return
        now = time.monotonic()
        if self._stopping != seq:
            self._stopping = seq
            words[CANCEL] = seq
            if now < order.kill_at:
                self._executor.interrupt()
        self._stopped = order.why
        if now >= order.kill_at and not self._killed:
            self._killed = True
            self._executor.kill()

    def recall(self) -> None:
        """Takes back all jobs of the batch that have not begun."""
        if self._recalled:
            return
        self._recalled = True
        words = self._executor.words
        words[STOP] = self._batch
        time.sleep(_SETTLE)
        seq = words[CURRENT]
        self._fetch()
        self.take_back(but=seq)

    def take_back(self, but: int = 0) -> None:
        """These have not begun, and the executor will not begin them."""
        back = [seq for seq in self._left if seq != but]
        self._waiting.extendleft([self._left.pop(seq) for seq in reversed(back)])

    def _part_with_ordered(self) -> None:
        ended = [a for a in self._waiting if a.order is not None]
        for attempt in ended:
            self._waiting.remove(attempt)
        if ended:
            self._done([(attempt, unstarted(attempt)) for attempt in ended])

    def _give_back(self) -> None:
        """What waits behind a long job can run elsewhere."""
        self._part_with_ordered()
        if self._waiting:
            back = [(attempt, UNSTARTED) for attempt in self._waiting]
            self._waiting.clear()
            self._done(back)
