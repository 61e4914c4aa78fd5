"""Writes starts and reports to the queue, apart from the threads that watch the jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from jobctl.queue import Full, QueueError, Verdict

from .attempt import Attempt
from .cause import Stop
from .pauses import pauses
from .reports import Report
from .workqueue import WorkQueue

# Reports of one job are merged for this long; a start is never held back.
_MERGE = 0.3


class Reporter:
    """Keeps what could not be delivered; later reports of a job replace earlier ones."""

    def __init__(self, queue: WorkQueue, incarnation: str) -> None:
        self._queue = queue
        self._incarnation = incarnation
        self._changed = threading.Condition()
        # Held while calling the queue: an older report must not overtake a newer one.
        self._sending = threading.Lock()
        self._starts: set[Attempt] = set()
        self._reports: dict[Attempt, Report] = {}
        self._closed = False

    def started(self, attempt: Attempt) -> None:
        """The job has run for a moment and still does."""
        with self._changed:
            self._starts.add(attempt)
            self._changed.notify()

    def note(self, attempt: Attempt, report: Report) -> None:
        """The job said something of itself."""
        with self._changed:
            self._reports[attempt] = report.over(self._reports.get(attempt, Report()))
            self._changed.notify()

    def settle(self, attempts: Sequence[Attempt]) -> None:
        """Delivers the jobs' last reports now, before their ends, unless there is no room.

        Raises QueueError.
        """
        with self._changed:
            if not (self._starts or self._reports):
                return
            self._starts.difference_update(attempts)  # the ends carry them
            if not any(attempt in self._reports for attempt in attempts):
                return
        with self._sending:
            for attempt in attempts:
                with self._changed:
                    report = self._reports.get(attempt)
                if report is None:
                    continue
                # A full Redis takes the end but no report, and ends make it no emptier: a job
                # that waited for room to say its last words would hold its slot for ever.
                with suppress(Full):
                    self._send_report(attempt, report)
                with self._changed:
                    self._reports.pop(attempt, None)

    def forget(self, attempts: Sequence[Attempt]) -> None:
        """Nothing more will be written for them."""
        with self._changed:
            if self._starts or self._reports:
                self._starts.difference_update(attempts)
                for attempt in attempts:
                    self._reports.pop(attempt, None)

    def close(self) -> None:
        """Ends `run`."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def run(self) -> None:
        """Delivers until closed."""
        waits = pauses()
        report_from = 0.0
        while self._wait_for_news(report_from):
            try:
                with self._sending:
                    self._send_starts()
                    if time.monotonic() >= report_from:
                        self._send_reports()
                        report_from = time.monotonic() + _MERGE
                waits = pauses()
            except QueueError:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed, next(waits))

    def _wait_for_news(self, report_from: float) -> bool:
        with self._changed:
            while not self._closed:
                if self._starts:
                    return True
                pause = max(0.0, report_from - time.monotonic())
                if self._reports and pause == 0.0:
                    return True
                self._changed.wait(pause if self._reports else None)
            return False

    def _send_starts(self) -> None:
        with self._changed:
            starts = list(self._starts)
        if not starts:
            return
        verdicts = self._queue.start(self._incarnation, [a.fence for a in starts])
        with self._changed:
            self._starts.difference_update(starts)
        for attempt, verdict in zip(starts, verdicts, strict=True):
            _heed(attempt, verdict)

    def _send_reports(self) -> None:
        with self._changed:
            reports = dict(self._reports)
        for attempt, report in reports.items():
            self._send_report(attempt, report)
            with self._changed:
                # It may have said more meanwhile: that is sent again, as a whole.
                if self._reports.get(attempt) is report:
                    del self._reports[attempt]

    def _send_report(self, attempt: Attempt, report: Report) -> None:
        verdict = self._queue.report(
            *attempt.fence,
            step=report.step,
            progress=report.progress,
            checkpoint=report.checkpoint,
        )
        _heed(attempt, verdict)


def _heed(attempt: Attempt, verdict: Verdict) -> None:
    if verdict is not Verdict.OK:
        attempt.end(Stop.TAKEN_OVER, grace=0)
