"""Following one running job: its output, its reports, its limits, until it ends."""

from __future__ import annotations

import math
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from .attempt import Attempt
from .cause import Stop
from .cleanup import signal_group
from .launch import Child
from .logsink import LogSink
from .reports import Lines, Report, parse_report

_CHUNK = 65_536
# A job shorter than this is written as started together with its end.
_SHORT = 0.1
# What a killed job can have left in its pipe: 64 KiB, or 1 MiB if it asked for that.
_LEFT_IN_PIPE = 1 << 20
# About a week: poll takes no more than 31 bits of milliseconds.
_LONGEST_POLL = 6e8


class Watch:
    """One thread, no buffers beyond a chunk: a job that writes fast waits for the log."""

    def __init__(
        self,
        attempt: Attempt,
        child: Child,
        fifo: int,
        log: LogSink,
        *,
        on_start: Callable[[], None],
        on_report: Callable[[Report], None],
    ) -> None:
        self._attempt = attempt
        self._child = child
        self._fifo = fifo
        self._log = log
        self._on_start = on_start
        self._on_report = on_report
        self._printed = Lines()
        self._written = Lines(mark=b"")
        self._ended = False
        self._killed = False
        self._stopped: Stop | None = None
        now = time.monotonic()
        self._start_due = now + _SHORT
        timeout = attempt.job.timeout
        self._timeout_due = math.inf if timeout is None else now + timeout
        self._poll = select.poll()
        for fd in (child.output, child.exit, fifo, attempt.wake):
            self._poll.register(fd, select.POLLIN)

    def until_end(self) -> Stop | None:
        """Returns when the first process has ended; why, if the worker ended it."""
        while not self._ended:
            ready = {fd for fd, _ in self._poll.poll(self._pause())}
            if self._child.output in ready:
                self._read_output()
            if self._fifo in ready:
                self._read_reports()
            if self._attempt.wake in ready:
                os.eventfd_read(self._attempt.wake)
            if self._child.exit in ready:
                self._ended = True
            else:
                self._keep_limits(time.monotonic())
        return self._stopped

    def drain(self) -> None:
        """Takes what is still in the pipes. Never waits: a survivor may hold them open."""
        taken = 0
        while taken < _LEFT_IN_PIPE and (count := self._read_output()):
            taken += count
        while taken < _LEFT_IN_PIPE and (count := self._read_reports()):
            taken += count
        # The last line may lack its end.
        self._report(self._printed.feed(b"\n"))
        self._report(self._written.feed(b"\n"))

    def _pause(self) -> int:
        """Milliseconds until something is due, rounded up so that it then is."""
        order = self._attempt.order
        kill_due = math.inf if order is None or self._killed else order.kill_at
        due = min(self._start_due, self._timeout_due, kill_due)
        milliseconds = max(0.0, (due - time.monotonic()) * 1000)
        return math.ceil(min(milliseconds, _LONGEST_POLL))

    def _keep_limits(self, now: float) -> None:
        if now >= self._start_due:
            self._start_due = math.inf
            self._on_start()
        if now >= self._timeout_due:
            self._timeout_due = math.inf
            self._attempt.end(Stop.TIMEOUT, self._attempt.job.grace)
        order = self._attempt.order
        if order is None:
            return
        if now >= order.kill_at:
            if not self._killed:
                signal_group(self._child.group, signal.SIGKILL)
            self._killed = True
        elif self._stopped is None:
            signal_group(self._child.group, signal.SIGTERM)
        self._stopped = order.why

    def _read_output(self) -> int:
        chunk = _read(self._child.output)
        if chunk is None:
            return 0
        if not chunk:  # closed by all; the end of the job is its exit, not this
            self._forget_output()
            return 0
        self._log.write(chunk)
        self._report(self._printed.feed(chunk))
        return len(chunk)

    def _forget_output(self) -> None:
        with suppress(KeyError):  # seen before
            self._poll.unregister(self._child.output)

    def _read_reports(self) -> int:
        chunk = _read(self._fifo) or b""
        self._report(self._written.feed(chunk))
        return len(chunk)

    def _report(self, lines: list[bytes]) -> None:
        for line in lines:
            report = parse_report(line)
            if report is not None:
                self._on_report(report)


def _read(fd: int) -> bytes | None:
    """The next bytes; empty at the end of the stream, None if there is nothing now."""
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return None
