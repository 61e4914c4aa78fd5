"""Following one running job: its output, its reports, its limits, until nothing of it lives."""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from .attempt import Attempt
from .cause import Stop
from .launcher import Answers, Begun
from .logsink import LogSink
from .reports import Lines, Report, parse_report
from .station import Station

# A job shorter than this is written as started together with its end.
_SHORT = 0.1
# How long the kernel may take to end what was killed (a process in a file system that hangs
# cannot be) before the job is told to have ended all the same.
_LAST_WAIT = 10.0
# The launcher is woken so often, as a job can stop it: while the job runs, and once it is killed.
_NUDGE = 5.0
_LAST_NUDGE = 0.1
# About a week: poll takes no more than 31 bits of milliseconds.
_LONGEST_POLL = 6e8
_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class Seen(NamedTuple):
    """How the job ended.

    `code` as subprocess has it. `stopped` says why the worker ended it, if it did. `clean` if
    nothing of it lives. `launcher` if that had to be given up; `code` may then be its.
    """

    code: int
    stopped: Stop | None
    clean: bool
    launcher: bool = False


class CannotStartError(Exception):
    """The job did not start. `worker` if that has nothing to do with its command."""

    def __init__(self, number: int, said: str, *, worker: bool) -> None:
        super().__init__(said)
        self.number = number
        self.worker = worker

    @classmethod
    def of_worker(cls, error: OSError) -> CannotStartError:
        """What kept the worker from starting it, whatever its command."""
        return cls(error.errno or 0, str(error), worker=True)

    @property
    def passing(self) -> bool:
        """Whether it may work a moment later: out of processes, memory or descriptors."""
        return self.number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)

    @property
    def shell_code(self) -> int | None:
        """What a shell would exit with for such a command; None if it could not even try."""
        if self.worker or self.passing or self.number in (errno.E2BIG, errno.EINVAL):
            return None
        return 127 if self.number in _NOT_FOUND else 126


class Watch:
    """One thread, no buffers beyond a chunk: a job that writes fast waits for the log.

    `on_wait` is called when the job does not end at once, `on_start` when it is no short one.
    """

    __slots__ = (
        "_attempt",
        "_code",
        "_give_up_due",
        "_killed",
        "_log",
        "_nudge",
        "_nudge_due",
        "_on_start",
        "_on_wait",
        "_open_log",
        "_printed",
        "_report",
        "_start_due",
        "_station",
        "_stopped",
        "_timeout_due",
        "_written",
    )

    def __init__(
        self,
        attempt: Attempt,
        station: Station,
        open_log: Callable[[], LogSink],
        *,
        on_wait: Callable[[], None],
        on_start: Callable[[Attempt], None],
        on_report: Callable[[Attempt, Report], None],
    ) -> None:
        self._attempt = attempt
        self._station = station
        self._open_log = open_log
        self._on_wait = on_wait
        self._on_start = on_start
        self._report = on_report
        self._log: LogSink | None = None
        self._printed: Lines | None = None
        self._written: Lines | None = None
        self._killed = False
        self._stopped: Stop | None = None
        self._code: int | None = None
        self._start_due = self._timeout_due = self._give_up_due = self._nudge_due = math.inf
        self._nudge = _NUDGE

    def until_end(self, begun: Begun) -> Seen:
        """Returns when the last that began has ended; CannotStartError if it could not."""
        # What a job prints in its first moments waits in the FIFO: most are over then.
        ended = self._hear(begun.answers)
        if ended is not None:
            return ended
        self._on_wait()
        self._start_due = begun.since + _SHORT
        if (timeout := self._attempt.job.timeout) is not None:
            self._timeout_due = begun.since + timeout
        self._nudge_due = time.monotonic() + _NUDGE
        station = self._station
        line, printed, wake = station.launcher.line, station.printed.fd, station.wake
        poll = station.poll()
        while True:
            self._keep_limits(time.monotonic())
            for fd, _ in poll.poll(self._pause()):
                if fd == line:
                    ended = self._hear(station.launcher.hear())
                elif fd == printed:
                    self._read_output()
                elif fd == wake:
                    station.hush()
                elif not self._read_reports():
                    poll.unregister(fd)
                    station.reported.reopen()
                    poll.register(station.reported.fd, select.POLLIN)
            if ended is not None:
                return ended

    def print(self, chunk: bytes) -> None:
        """Takes what the job printed, or what is said in its place."""
        if self._log is None or self._printed is None:
            self._log = self._open_log()
            self._printed = Lines()
        self._log.write(chunk)
        self._say(self._printed.feed(chunk))

    def last_words(self) -> bool:
        """Takes what is still in the FIFOs, which then are free; whether there is a log."""
        self._station.printed.take_back(self.print)
        self._station.reported.take_back(self._write)
        # The last line may lack its end.
        if self._printed is not None:
            self._say(self._printed.feed(b"\n"))
        if self._written is not None:
            self._say(self._written.feed(b"\n"))
        if self._log is None:
            return False
        self._log.close()
        return True

    def _hear(self, answers: Answers | None) -> Seen | None:
        if answers is None:
            return None
        if not answers:
            return self._abandon()
        for kind, *words in answers:
            if kind == b"E":
                if words[1] != b"0":
                    self._station.launcher.end()  # a job has laid hands on it
                return Seen(int(words[0]), self._stopped, clean=True)
            if kind == b"L":
                self._code = int(words[0])
                self._expect_end(time.monotonic())
            elif kind == b"F":
                who, number, said = words
                raise CannotStartError(int(number), said.decode(), worker=who == b"worker")
        return None

    def _abandon(self) -> Seen:
        """The launcher has gone, or does nothing any more: then it goes."""
        code = self._station.launcher.end()
        if self._code is not None:
            return Seen(self._code, self._stopped, clean=False)
        return Seen(code, self._stopped, clean=False, launcher=True)

    def _pause(self) -> int:
        """Milliseconds until something is due, rounded up so that it then is."""
        order = self._attempt.order
        kill_due = math.inf if order is None or self._killed else order.kill_at
        last = min(self._nudge_due, self._give_up_due)
        due = min(self._start_due, self._timeout_due, kill_due, last)
        milliseconds = max(0.0, (due - time.monotonic()) * 1000)
        return math.ceil(min(milliseconds, _LONGEST_POLL))

    def _keep_limits(self, now: float) -> None:
        if now >= self._start_due:
            self._start_due = math.inf
            self._on_start(self._attempt)
        if now >= self._nudge_due:
            self._nudge_due = now + self._nudge
            self._station.launcher.wake()
        if now >= self._give_up_due:
            self._give_up_due = math.inf
            # Its end is heard next.
            os.kill(self._station.launcher.pid, signal.SIGKILL)
        if self._code is not None:
            return  # it has ended by itself: no limit is its reason any more
        if now >= self._timeout_due:
            self._timeout_due = math.inf
            self._attempt.end(Stop.TIMEOUT, self._attempt.job.grace)
        order = self._attempt.order
        if order is None:
            return
        if now >= order.kill_at:
            if not self._killed:
                self._station.launcher.order(signal.SIGKILL)
                self._expect_end(now)
            self._killed = True
        elif self._stopped is None:
            self._station.launcher.order(signal.SIGTERM)
        self._stopped = order.why

    def _expect_end(self, now: float) -> None:
        """All that is left of the job is killed: it is over soon, or the launcher is given up."""
        self._give_up_due = now + _LAST_WAIT
        self._nudge = _LAST_NUDGE
        self._nudge_due = now + _LAST_NUDGE

    def _read_output(self) -> None:
        if chunk := self._station.printed.read():
            self.print(chunk)

    def _read_reports(self) -> bool:
        """False if all writers have gone."""
        chunk = self._station.reported.read()
        if chunk:
            self._write(chunk)
        return chunk != b""

    def _write(self, chunk: bytes) -> None:
        if self._written is None:
            self._written = Lines(mark=b"")
        self._say(self._written.feed(chunk))

    def _say(self, lines: list[bytes]) -> None:
        for line in lines:
            report = parse_report(line)
            if report is not None:
                self._report(self._attempt, report)
