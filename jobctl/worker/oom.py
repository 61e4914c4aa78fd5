"""How often the kernel killed for lack of memory in this container's cgroup."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

# cgroup v2, then v1: inside a container its own cgroup is mounted at the root of each.
_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


def parse_oom_kill(text: str) -> int | None:
    """The number on the `oom_kill` line (the same word in v1 and v2), None without one."""
    for line in text.splitlines():
        word, _, number = line.partition(" ")
        if word == "oom_kill" and number.strip().isdigit():
            return int(number)
    return None


class OomKills:
    """Called, it returns the kills so far. Holds the file open: it is asked before every job.

    Where the kernel does not say it returns 0, and then no job is ever called oom.
    """

    def __init__(self, counters: Sequence[Path] = _COUNTERS) -> None:
        self._fd = -1
        self._last = (b"", 0)
        for counter in counters:
            try:
                self._fd = os.open(counter, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            if parse_oom_kill(self._read().decode()) is not None:
                return
            self.close()

    def __call__(self) -> int:
        """The kills so far."""
        text = self._read()
        if text != self._last[0]:
            self._last = (text, parse_oom_kill(text.decode()) or 0)
        return self._last[1]

    def close(self) -> None:
        """Gives the file up; it counts 0 from now on."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> bytes:
        try:
            return os.pread(self._fd, 4096, 0) if self._fd >= 0 else b""
        except OSError:
            return b""
