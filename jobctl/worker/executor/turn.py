"""One batch in one executor: sent, followed until its jobs have ended or the executor has.

No job is blamed for another's doing: the word CURRENT in the shared memory names the one
that runs, and what had not begun when the executor died runs in the next one.
"""

from __future__ import annotations

import json
import math
import os
import select
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress

from jobctl.queue import Outcome

from ..attempt import Attempt, on_orders
from ..cause import Stop
from ..lane import Done, Ended, Result
from ..reports import parse_report
from .endings import death, failure, stopped_early, success
from .files import Files
from .limits import LONG, Limits
from .process import ExecutorProcess
from .protocol import CURRENT, READ, STARTED, encode_batch
from .seat import Seat

# After so long without a word, what waits in the shared memory is fetched.
_SILENCE = 0.005
# An executor that has cut its line must be gone after this.
_LAST_BREATH = 1.0
_LONGEST_POLL = 6e5
# So long (s) a thread that let a job begin keeps out of its way: the kernel mostly wakes the
# executor on the processor where that thread is.
_GIVE_WAY = 0.0001


class Turn:
    """What an executor has at hand: sent when it is made. Only the lane's thread runs it."""

    def __init__(
        self,
        seat: Seat,
        executor: ExecutorProcess,
        attempts: Sequence[Attempt],
        waiting: deque[Attempt],
        done: Done,
        *,
        give_way: bool = False,
    ) -> None:
        self._seat = seat
        self.executor = self._executor = executor
        self._done = done
        executor.batches += 1
        self._batch = executor.batches
        left: dict[int, Attempt] = {}
        for attempt in attempts:
            executor.jobs += 1
            left[executor.jobs] = attempt
        self._left = left
        # Before all else: the first job of an idle worker waits for nothing but this.
        self._send()
        if give_way:
            time.sleep(_GIVE_WAY)
        self._oom_kills = seat.count_oom_kills()
        self._limits = Limits(
            executor,
            self._batch,
            left,
            waiting,
            listener=seat.shop.listener,
            done=done,
            fetch=self._fetch,
        )
        self._files: Files | None = None
        self._look_at = 0.0
        self._fetch_at = math.inf
        self.status: int | None = None
        """How the executor ended, if it did, as subprocess has it."""
        # From us of the monotonic clock to us since 1970.
        self._epoch = time.time_ns() // 1000 - time.monotonic_ns() // 1000

    def _send(self) -> None:
        try:
            self._executor.say(encode_batch(self._batch, self._left))
        except OSError as error:
            self._seat.shop.journal("executor-lost", reason=error)
            self._executor.kill()

    def run(self) -> bool:
        """Follows the batch to its end; False if the executor ended. Never raises.

        What had not begun then waits again.
        """
        try:
            if self._follow():
                return True
        except (OSError, ValueError) as error:
            # Its words or its memory make no sense, or this worker is in trouble.
            self._seat.shop.journal("executor-lost", reason=error)
            self._executor.kill()
        self._bury()
        return False

    def _follow(self) -> bool:
        """False if the executor has ended or cut its line."""
        executor, seat, left = self._executor, self._seat, self._left
        on_orders(left.values(), seat.poke)
        self._look_at = time.monotonic() + min(_SILENCE, self._limits.interval)
        poll = executor.poll.poll
        while left:
            pause = self._look_at - time.monotonic()
            for fd, events in poll(max(0, math.ceil(min(pause, _LONGEST_POLL) * 1000))):
                if not self._react(fd, events):
                    return False
            now = time.monotonic()
            if left and now >= self._look_at:
                if now >= self._fetch_at:
                    self._fetch_at = math.inf
                self._look_at = min(self._limits.look(), self._fetch_at)
                if not executor.ready and seat.starter.overdue:
                    executor.kill()
        return True

    def _react(self, fd: int, events: int) -> bool:
        """False if the executor has ended or cut its line."""
        executor = self._executor
        if fd == executor.exit:
            return False
        if fd == executor.control:
            if events & select.POLLOUT:
                executor.flush()
            if events & ~select.POLLOUT:
                lines = executor.records()
                if lines is None:
                    return False
                self._take(lines)
                self._look_at = min(self._look_at, time.monotonic() + _SILENCE)
        elif fd == executor.raw:
            self._read_output()
        else:
            with suppress(BlockingIOError):
                os.eventfd_read(fd)
            self._look_at = 0.0
        return True

    # -- records

    def _fetch(self) -> None:
        """Takes all records there are, sent or not."""
        while lines := self._executor.records():
            self._take(lines)
        self._take(self._executor.waiting())

    def _take(self, lines: Iterable[bytes]) -> None:
        ended: list[Ended] = []
        left, epoch, stopping = self._left, self._epoch, self._limits.stopping
        for line in lines:
            if line.startswith(b"D ") and self._files is None and not stopping:
                # What nearly all jobs do: no order, no output, nothing to clear up.
                _, number, began, flags, said = line.split(b" ", 4)
                if flags == b"-":
                    attempt = left.pop(int(number), None)
                    if attempt is not None:
                        result = Result(success(said), (int(began) + epoch) // 1000)
                        ended.append((attempt, result))
                    continue
            kind, _, rest = line.partition(b" ")
            if kind in (b"D", b"F"):
                self._end(kind, rest, ended)
            elif kind == b"R":
                self._note(rest)
            elif kind == b"O":
                self._give_output(int(rest))
            elif kind == b"L":
                if int(rest) == self._batch:
                    self._limits.take_back()
            elif kind == b"H":
                self._executor.ready = True
            else:
                raise ValueError(f"an executor said {line[:80]!r}")
        if ended:
            self._executor.answered = True
            self._done(ended)

    def _end(self, kind: bytes, rest: bytes, ended: list[Ended]) -> None:
        number, began, flags, said = rest.split(b" ", 3)
        seq = int(number)
        kills = self._oom_kills_since() if b"p" in flags else 0
        if flags != b"-":
            self._settle(seq, flags)
        if self._files is not None:
            self._close_files()
        attempt = self._left.pop(seq, None)
        if attempt is not None:
            started_at = (int(began) + self._epoch) // 1000
            if kind == b"D":
                outcome = success(said)
            else:
                outcome = failure(said, oom_kills=kills, alone=self._seat.was_alone())
            ended.append((attempt, self._result(seq, attempt, outcome, started_at)))

    def _result(self, seq: int, attempt: Attempt, outcome: Outcome, started_at: int) -> Result:
        stopped = self._limits.stopped(seq)
        if stopped is Stop.TAKEN_OVER or (stopped is Stop.HAND_BACK and not outcome.succeeded):
            return Result(None, started_at)
        if stopped in (Stop.CANCEL, Stop.TIMEOUT):
            return Result(stopped_early(stopped, attempt.job.timeout), started_at)
        return Result(outcome, started_at)

    def _oom_kills_since(self) -> int:
        """Kills for lack of memory since the last job that had processes of its own."""
        before, self._oom_kills = self._oom_kills, self._seat.count_oom_kills()
        return self._oom_kills - before

    def _note(self, rest: bytes) -> None:
        number, _, said = rest.partition(b" ")
        attempt = self._left.get(int(number))
        report = parse_report(said)
        if attempt is not None and report is not None:
            self._seat.shop.listener.note(attempt, report)
            # More of them may wait in the shared memory.
            self._fetch_at = min(self._fetch_at, time.monotonic() + LONG)
            self._look_at = min(self._look_at, self._fetch_at)

    def _give_output(self, seq: int) -> None:
        path, problem = "", "the job has ended"
        if seq in self._left:
            try:
                path, problem = str(self._files_of(seq).output()), ""
            except OSError as error:
                problem = f"there can be no output folder: {error.strerror or error}"
        self._executor.say(json.dumps((path, problem)).encode() + b"\n")

    # -- output

    def _read_output(self) -> bool:
        """Takes the next raw bytes to the log of the job that runs; False if there are none."""
        words = self._executor.words
        # Before the bytes are taken: a job that wrote some cannot end any more but by `_settle`.
        words[READ] = 1
        data = self._executor.output()
        # After it: nothing else can have begun since.
        seq = words[CURRENT]
        if seq not in self._left or not self._executor.ready:
            self._seat.starter.heard(data)  # should it end now, that says why
        elif data:
            self._files_of(seq).write(data)
        return bool(data)

    def _settle(self, seq: int, flags: bytes) -> None:
        """The job has ended and the executor waits: clears up behind it, takes what it printed."""
        if b"p" in flags:
            self._seat.end_leftovers(self._executor)
        while data := self._executor.output():
            if seq in self._left:
                self._files_of(seq).write(data)
        self._executor.words[READ] = 0
        if b"f" in flags:
            self._seat.clear_scratch()
        self._executor.say(b"[]\n")

    def _files_of(self, seq: int) -> Files:
        attempt = self._left[seq]
        if self._files is None or self._files.attempt is not attempt:
            self._close_files()
            self._files = Files(self._seat.shop, attempt, self._seat.user)
        return self._files

    def _close_files(self) -> None:
        if self._files is not None:
            self._files.close()
            self._files = None

    # -- the executor's death

    def _bury(self) -> None:
        executor, seat = self._executor, self._seat
        status = self.status = executor.end(_LAST_BREATH)
        seat.end_all(executor)
        # A line that makes no sense may be why it ended.
        with suppress(ValueError):
            self._fetch()
        while self._read_output():
            pass
        seq = executor.words[CURRENT]
        attempt = self._left.pop(seq, None)
        self._close_files()
        seat.clear_scratch()
        seat.shop.journal(
            "executor-ended", status=status, job=None if attempt is None else attempt.job.id
        )
        if attempt is not None:
            executor.answered = True
            started_at = (executor.words[STARTED] // 1000 + self._epoch) // 1000
            self._done([(attempt, Result(self._death(seq, attempt, status), started_at))])
        self._limits.take_back()

    def _death(self, seq: int, attempt: Attempt, status: int | None) -> Outcome | None:
        stopped = self._limits.stopped(seq)
        if stopped in (Stop.TAKEN_OVER, Stop.HAND_BACK):
            return None
        return death(
            status,
            stopped,
            oom_kills=self._oom_kills_since(),
            alone=self._seat.was_alone(),
            timeout=attempt.job.timeout,
        )
