"""What a job leaves behind for the supervisor to look at, seen from the launcher.

Imported by the launcher alone: like launcher_main.py it must bring nothing along.
"""

from __future__ import annotations

import fcntl
import os
import select


class Traces:
    """Something in the slot's FIFOs or about them, or a change in folders that all can write to.

    The `fifos` are descriptors for reading which the supervisor does not read itself, opened
    before their last writer so far: then the kernel tells their end from their being empty.
    """

    def __init__(self, fifos: tuple[int, ...], scratch: tuple[str, ...]) -> None:
        self._poll = select.poll()
        for fifo in fifos:
            self._poll.register(fifo, select.POLLIN)
        self._ended = [(fifo, select.POLLHUP) for fifo in fifos]
        self._sizes = [(fifo, fcntl.fcntl(fifo, fcntl.F_GETPIPE_SZ)) for fifo in fifos]
        # Held, as every job asks for their times: a path costs three times as much.
        self._scratch = [os.open(path, os.O_PATH) for path in scratch]
        self._times: list[int] = []

    def note(self) -> None:
        """What changes in the folders from now on is a trace."""
        self._times = [os.fstat(folder).st_mtime_ns for folder in self._scratch]

    def none(self) -> bool:
        """Whether there is none: nothing written, nobody left who could, no change."""
        if self._poll.poll(0) != self._ended:
            return False
        # Loops that end at the first difference: every job passes here.
        for fifo, size in self._sizes:
            if fcntl.fcntl(fifo, fcntl.F_GETPIPE_SZ) != size:
                return False
        for folder, time in zip(self._scratch, self._times, strict=True):
            if os.fstat(folder).st_mtime_ns != time:
                return False
        return True
