"""The log and the output folder of one running function, each made on first use."""

from __future__ import annotations

import time
from pathlib import Path

from ..attempt import Attempt
from ..folders import (
    AttemptFolder,
    is_full,
    make_output,
    prepare_log,
    prepare_without_room,
    seal,
)
from ..lane import Shop
from ..logsink import FileLog
from ..reports import Lines, parse_report
from ..settings import JobUser


class Files:
    """What the running attempt has on disk. Only the lane's thread calls it."""

    def __init__(self, shop: Shop, attempt: Attempt, user: JobUser | None) -> None:
        self.attempt = attempt
        self._shop = shop
        self._user = user
        self._folder: AttemptFolder | None = None
        self._output: AttemptFolder | None = None
        self._log: FileLog | None = None
        self._printed = Lines()

    def write(self, data: bytes) -> None:
        """Appends to the log what the function printed; lines may be reports."""
        if self._log is None:
            folder = self._prepare()
            gid = self._shop.settings.reader_gid
            self._log = FileLog(folder.log, folder.index, reader_gid=gid, now_ms=_now_ms)
        self._log.write(data)
        self._report(data)

    def output(self) -> Path:
        """The folder for what the function makes. OSError if there can be none."""
        if self._output is None:
            folder = self._prepare()
            try:
                make_output(folder, self._user)
            except OSError as error:
                if not is_full(error):
                    raise
                scratch = self._shop.settings.paths.scratch[0]
                folder = prepare_without_room(folder.path, scratch, self._user)
            self._output = folder
        return self._output.output

    def close(self) -> None:
        """The attempt has ended: its log is complete, its outputs are nobody's to change."""
        if self._log is not None:
            self._report(b"\n")  # the last line may lack its end
            self._log.close()
        if self._output is not None and self._output.kept:
            try:
                seal(self._output, self._shop.settings.reader_gid)
            except OSError as error:
                self._shop.journal("output-not-sealed", job=self.attempt.job.id, reason=error)

    def _prepare(self) -> AttemptFolder:
        if self._folder is None:
            settings, (job_id, attempt) = self._shop.settings, self.attempt.fence
            jobs = settings.paths.jobs
            try:
                self._folder = prepare_log(jobs, job_id, attempt, settings.reader_gid)
            except OSError as error:
                # The log counts what it loses; the job goes on.
                self._shop.journal("no-room-for-output", job=job_id, reason=error)
                path = jobs / job_id / str(attempt)
                self._folder = AttemptFolder(path, path / "output", kept=False)
        return self._folder

    def _report(self, data: bytes) -> None:
        for line in self._printed.feed(data):
            report = parse_report(line)
            if report is not None:
                self._shop.listener.note(self.attempt, report)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
