"""A folder for the next attempt, made beforehand: most jobs leave theirs as they found it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from .folders import prepare
from .settings import JobUser
from .trees import sweep

# The kernel stamps changes by a clock with ticks of up to 10 ms. A folder younger than that
# could be changed without a change of its time.
_SETTLED_NS = 30_000_000
_FIRST = 1


class Spare:
    """One empty `1/output`, which becomes <job>/1/output by one rename and goes back by another.

    To make and remove three folders costs a third of what a short job costs altogether. While
    an attempt runs its folder has its final name: what a killed worker leaves behind is where
    it belongs. Only first attempts get it.
    """

    def __init__(
        self, jobs: Path, name: str, user: JobUser | None, reader_gid: int | None
    ) -> None:
        self._jobs = str(jobs)
        self._path = jobs / f".spare-{name}"
        self._user = user
        self._gid = reader_gid
        self._there = False
        self._changed_ns = 0

    def take(self, job_id: str, attempt: int) -> str | None:
        """Where this attempt's folder is now; None if another one has to be made."""
        if attempt != _FIRST:
            return None
        if not self._there:
            self._make()
        if time.time_ns() - self._changed_ns < _SETTLED_NS:
            return None
        job = f"{self._jobs}/{job_id}"
        try:
            os.rename(self._path, job)  # noqa: PTH104 - a string costs less
        except FileNotFoundError:
            self._there = False
            return None
        except OSError:  # the job has been here before
            return None
        self._there = False
        return f"{job}/{_FIRST}"

    def take_back(self, place: str) -> bool:
        """Takes the folder of an ended attempt back, if nothing was ever changed in it."""
        job = place[: -len(f"/{_FIRST}")]
        try:
            if os.lstat(f"{place}/output").st_ctime_ns != self._changed_ns:
                return False
            os.rename(job, self._path)  # noqa: PTH104
        except OSError:
            return False
        self._there = True
        return True

    def close(self) -> None:
        """Leaves nothing behind."""
        self._there = False
        with suppress(OSError):
            parent = os.open(self._jobs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sweep(parent, self._path.name, self._gid, _unlink, remove=True)
                os.rmdir(self._path.name, dir_fd=parent)
            finally:
                os.close(parent)

    def _make(self) -> None:
        self.close()  # a former worker of this name may have left one
        try:
            made = prepare(self._path.parent, self._path.name, _FIRST, self._user, self._gid)
            self._changed_ns = made.output.lstat().st_ctime_ns
        except OSError:  # no room: the attempt that needs one will say so
            return
        self._there = True


def _unlink(parent: int, entry: os.DirEntry[str], _depth: int) -> None:
    os.unlink(entry.name, dir_fd=parent)
