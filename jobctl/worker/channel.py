"""A FIFO that one slot's jobs write to, one job after the other, without mixing them up."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

_CHUNK = 65_536
# For the last look, which mostly finds nothing: room for a chunk costs more than the look.
_LITTLE = 256
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
# What ended processes can have left in a pipe: 64 KiB, or 1 MiB if they asked for that.
_LEFT_IN_PIPE = 1 << 20


class Channel:
    """The supervisor reads it, the group `gid` may write to it and nobody else may anything.

    To make one for every job would cost more than all else here, so it is lent to one job
    after the other. It is safe to lend again only after its end was read: then nobody has it
    open for writing any more, be it an accomplice under another UID. Otherwise the next job
    gets a new one under the same name.
    """

    def __init__(self, path: Path, gid: int | None) -> None:
        self.path = str(path)
        self.fd = -1
        """Reads what the jobs write; never blocks."""
        self._gid = gid
        self._writing = -1
        self._size = 0

    def lend(self) -> None:
        """Makes it ready for a job; OSError if that is impossible."""
        if self.fd < 0:
            self._make()

    def look(self) -> int:
        """Another descriptor, on which poll tells an end (no writer) from emptiness at once.

        The kernel does so only after somebody has come and gone as a writer.
        """
        looking = os.open(self.path, _READING)
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError:
            os.close(looking)
            raise
        return looking

    def hold(self) -> None:
        """Lets no end be seen when the writers go, as the supervisor could still write."""
        if self._writing < 0:
            self._writing = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def reopen(self) -> None:
        """Waits for the next writer, where an end was read; what was written stays."""
        former, self.fd = self.fd, os.open(self.path, _READING)
        os.close(former)

    def read(self, most: int = _CHUNK) -> bytes | None:
        """The next bytes; None if there are none now, empty if there will be none."""
        try:
            return os.read(self.fd, most)
        except BlockingIOError:
            return None

    def take_back(self, sink: Callable[[bytes], None]) -> None:
        """Hands what is still in it to `sink`. Never waits: a survivor may hold it open."""
        if self._writing >= 0:
            self._stop_writing()
        if self.fd < 0:
            return
        taken, chunk = 0, self.read(_LITTLE)
        while chunk:
            sink(chunk)
            taken += len(chunk)
            if taken > _LEFT_IN_PIPE:
                break
            chunk = self.read()
        if chunk != b"" or fcntl.fcntl(self.fd, fcntl.F_GETPIPE_SZ) != self._size:
            self.close()

    def close(self) -> None:
        """Forgets it; `lend` makes another one."""
        self._stop_writing()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _stop_writing(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def _make(self) -> None:
        path = Path(self.path)
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        # The mode first: a file given away can no longer be changed without CAP_FOWNER.
        path.chmod(0o620)
        if self._gid is not None:
            os.chown(path, 0, self._gid)
        self.fd = os.open(path, _READING)
        self._size = fcntl.fcntl(self.fd, fcntl.F_GETPIPE_SZ)
