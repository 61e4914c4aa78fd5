"""Where a job's output goes. Writing never raises: a full disk must not touch the job."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol


class LogSink(Protocol):
    """Takes the bytes of one attempt, from one thread."""

    def write(self, data: bytes) -> None:
        """Appends; what cannot be kept is dropped and counted."""

    def close(self) -> None:
        """Says what was lost, if anything, and ends."""


class FileLog:
    """Writes `log`, and at most once a second a line `epoch_ms offset` to `log.idx`.

    Bytes from `offset` on were written at or after that time. Lost bytes take no offsets;
    a note stands in their place as soon as writing works again. Both files are made at the
    first byte, as most jobs write none.
    """

    def __init__(
        self,
        log: Path | str,
        index: Path | str,
        *,
        reader_gid: int | None,
        now_ms: Callable[[], int],
        write: Callable[[int, bytes | memoryview], int] = os.write,
    ) -> None:
        self._now_ms = now_ms
        self._write = write
        self._lost = 0
        self._why = ""
        self._indexed_ms = -1000
        self._paths = (log, index)
        self._reader_gid = reader_gid
        self._log: int | None = None
        self._index: int | None = None
        self._offset = 0
        self.begun = False
        """Whether there was anything to write."""

    @property
    def lost(self) -> int:
        """Bytes dropped since the last note about it."""
        return self._lost

    def write(self, data: bytes) -> None:
        """Appends what the job wrote."""
        if not self.begun:
            self._begin()
        if self._log is None:
            self._lose(len(data), self._why)
            return
        if self._lost and not self._note():
            self._lost += len(data)
            return
        self._mark_time()
        kept = self._append(data)
        if kept < len(data):
            self._lose(len(data) - kept, self._why)

    def close(self) -> None:
        """Notes a loss if that works now, and closes."""
        if self._log is not None and self._lost:
            self._note()
        for fd in (self._log, self._index):
            if fd is not None:
                os.close(fd)
        self._log = self._index = None

    def _begin(self) -> None:
        self.begun = True
        log, index = self._paths
        self._log = self._open(log)
        self._index = self._open(index)
        if self._log is not None:
            self._offset = os.fstat(self._log).st_size

    def _open(self, path: Path | str) -> int | None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(path, flags, 0o600)
            if self._reader_gid is not None:
                os.fchown(fd, 0, self._reader_gid)
            os.fchmod(fd, 0o640)
        except OSError as error:
            self._why = error.strerror or str(error)
            return None
        return fd

    def _lose(self, count: int, why: str) -> None:
        self._lost += count
        self._why = why

    def _note(self) -> bool:
        text = f"\n[jobctl: {self._lost} bytes of output could not be kept: {self._why}]\n"
        note = text.encode()
        start = self._offset
        if self._append(note) == len(note):
            self._lost = 0
            return True
        # Half a note would be garbage in the middle of the job's own bytes.
        self._shorten(self._log, start)
        self._offset = start
        return False

    def _append(self, data: bytes) -> int:
        """Writes to the log as much as goes; returns how much that was."""
        assert self._log is not None
        kept = 0
        view = memoryview(data)
        while kept < len(data):
            try:
                kept += self._write(self._log, view[kept:])
            except OSError as error:
                self._why = error.strerror or str(error)
                break
        self._offset += kept
        return kept

    def _mark_time(self) -> None:
        now = self._now_ms()
        if self._index is None or now - self._indexed_ms < 1000:
            return
        self._indexed_ms = now
        line = f"{now} {self._offset}\n".encode()
        try:
            size = os.fstat(self._index).st_size
            if self._write(self._index, line) < len(line):
                self._shorten(self._index, size)
        except OSError:
            pass  # the index only speeds up `logs --since`

    @staticmethod
    def _shorten(fd: int | None, size: int) -> None:
        assert fd is not None
        with suppress(OSError):
            os.ftruncate(fd, size)
