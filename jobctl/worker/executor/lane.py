"""The lane of Python functions: a slot's executor, restarted whenever it has ended."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Sequence

from ..attempt import Attempt
from ..lane import Done, Ended, Result, Shop, unstarted
from ..oom import OomKills
from .process import ExecutorProcess
from .seat import Seat
from .starting import NoExecutor
from .turn import Turn

# A job's arguments may be large, and neither side should have to hold all of a batch's.
_TURN_BYTES = 64 << 10


class FunctionLane:
    """Runs batches of function jobs in a warm process of the pool's own Python."""

    def __init__(
        self, shop: Shop, slot: int, count_oom_kills: Callable[[], int] | None = None
    ) -> None:
        self._shop = shop
        self._seat = Seat(shop, slot, count_oom_kills or OomKills())
        self._executor: ExecutorProcess | None = None
        self._waiting: deque[Attempt] = deque()
        # What `begin` has sent, for `run` to follow.
        self._begun: Turn | None = None

    def warm(self) -> None:
        """Starts the executor."""
        try:
            self._ensure()
        except NoExecutor as error:
            self._shop.journal("executor-not-started", reason=error)

    def begin(self, batch: Sequence[Attempt], done: Done) -> None:
        """Sends the batch to an executor that waits for one."""
        executor = self._executor
        if executor is None or not executor.ready:
            return
        attempts, size = 0, 0
        for attempt in batch:
            if attempt.order is not None:
                return
            if size < _TURN_BYTES:
                size += len(attempt.job.args)
                attempts += 1
        self._shop.activity.enter(self._seat)
        self._waiting.extend(batch[attempts:])
        sent = batch[:attempts]
        alone = len(batch) == 1
        self._begun = Turn(self._seat, executor, sent, self._waiting, done, give_way=alone)

    def run(self, batch: Sequence[Attempt], done: Done) -> None:
        """Runs the batch, in one executor or, if jobs end theirs, in several."""
        turn, self._begun = self._begun, None
        if turn is None:
            self._waiting.extend(batch)
            self._shop.activity.enter(self._seat)
        try:
            if turn is not None:
                self._follow(turn)
            while self._waiting:
                self._run_some(done)
        except NoExecutor as error:
            self._shop.journal("executor-not-started", reason=error)
            self._end_waiting(Result(error.outcome), done)
        finally:
            self._shop.activity.leave(self._seat)
        if self._executor is None and self._seat.starter.sound:
            self.warm()  # the next job shall not wait for what this one did

    def close(self) -> None:
        """Ends the executor."""
        self._end_executor()
        self._seat.close()

    def _run_some(self, done: Done) -> None:
        executor = self._ensure()
        attempts = self._take(done)
        if attempts:
            self._follow(Turn(self._seat, executor, attempts, self._waiting, done))

    def _follow(self, turn: Turn) -> None:
        if not turn.run():
            self._seat.starter.ended(turn.executor, turn.status)
            self._part()
        self._seat.clear_if_changed()

    def _take(self, done: Done) -> list[Attempt]:
        """The next jobs for the executor; ends those that were ordered to."""
        attempts: list[Attempt] = []
        ended: list[Ended] = []
        size = 0
        while self._waiting and size < _TURN_BYTES:
            attempt = self._waiting.popleft()
            if attempt.order is not None:
                ended.append((attempt, unstarted(attempt)))
            else:
                attempts.append(attempt)
                size += len(attempt.job.args)
        if ended:
            done(ended)
        return attempts

    def _ensure(self) -> ExecutorProcess:
        if self._executor is not None and self._executor.ready and self._executor.gone:
            # While idle: the kernel needed memory, or all jobs share one UID.
            self._end_executor()
        if self._executor is None:
            self._executor = self._seat.starter.start(self._unwanted)
            self._executor.poll.register(self._seat.wake, select.POLLIN)
        return self._executor

    def _end_executor(self) -> None:
        if self._executor is not None:
            self._executor.end()
            self._part()

    def _part(self) -> None:
        if self._executor is not None:
            self._executor.close()
            self._executor = None

    def _unwanted(self) -> bool:
        """Whether all jobs that wait have been ordered to end."""
        return all(attempt.order is not None for attempt in self._waiting)

    def _end_waiting(self, result: Result, done: Done) -> None:
        ended = [
            (attempt, result if attempt.order is None else unstarted(attempt))
            for attempt in self._waiting
        ]
        self._waiting.clear()
        done(ended)
