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
# A worker that was stopped for so long may have lost the job: then its folder holds what another
# worker's attempt writes. Less than the shortest lease.
_SURE_NS = 500_000_000
_FIRST = 1


class Spare:
    """One of a slot's empty `1/output`: becomes <job>/1/output by one rename, goes back by another.

    To make and remove three folders costs a third of what a short job costs altogether. While
    an attempt runs its folder has its final name: what a killed worker leaves behind is where
    it belongs. Only first attempts get it.

    While it is at rest a job of the slot may run, as its owner, and could put something in it:
    such a one is used no more. As long as a change could not be seen nobody can go there.
    """

    def __init__(self, jobs: Path, name: str, user: JobUser | None, reader_gid: int | None) -> None:
        # Strings where every job passes: they cost less than paths.
        self._jobs = str(jobs)
        self._name = f".spare-{name}"
        self._path = f"{jobs}/{self._name}"
        self._user = user
        self._gid = reader_gid
        self._there = False
        self._closed = True
        self.number = 0
        """Which one it is: folders made one after the other have different ones."""
        # Its output folder, wherever that is now, and when it was last changed.
        self._held = -1
        self._changed_ns = 0
        self._taken_ns = 0

    def take(self, job_id: str, attempt: int, now_ns: int) -> str | None:
        """Where this attempt's folder is now; None if another one has to be made."""
        if attempt != _FIRST:
            return None
        if not self._there:
            self._make()
        if not self._there or now_ns - self._changed_ns < _SETTLED_NS:
            return None
        job = f"{self._jobs}/{job_id}"
        try:
            if not self._untouched():
                self._there = False
                return None
            if self._closed:
                Path(self._path).chmod(0o751)
                self._closed = False
            os.rename(self._path, job)  # noqa: PTH104
        except FileNotFoundError:
            self._there = False
            return None
        except OSError:  # the job has been here before
            return None
        self._there = False
        self._taken_ns = time.monotonic_ns()
        return f"{job}/{_FIRST}"

    def take_back(self, place: str) -> bool:
        """Takes the folder of an ended attempt back, if nothing was ever changed in it.

        Not from a long one: only for short ones it counts, and only they are its owner's for sure.
        """
        if time.monotonic_ns() - self._taken_ns > _SURE_NS:
            return False
        try:
            if not self._untouched():
                return False
            os.rename(place[: -len(f"/{_FIRST}")], self._path)  # noqa: PTH104
        except OSError:
            return False
        self._there = True
        return True

    def _untouched(self) -> bool:
        return os.fstat(self._held).st_ctime_ns == self._changed_ns

    def close(self) -> None:
        """Leaves nothing behind."""
        self._there = False
        if self._held >= 0:
            os.close(self._held)
            self._held = -1
        with suppress(OSError):
            parent = os.open(self._jobs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sweep(parent, self._name, self._gid, _unlink, remove=True)
                os.rmdir(self._name, dir_fd=parent)
            finally:
                os.close(parent)

    def _make(self) -> None:
        self.close()  # a former worker of this name may have left one
        try:
            made = prepare(Path(self._jobs), self._name, _FIRST, self._user, self._gid)
            made.path.parent.chmod(0o700)  # opened when it is settled
            self._closed = True
            self._held = os.open(made.output, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._changed_ns = os.fstat(self._held).st_ctime_ns
        except OSError:  # no room: the attempt that needs one will say so
            return
        self._there = True
        self.number += 1


def _unlink(parent: int, entry: os.DirEntry[str], _depth: int) -> None:
    os.unlink(entry.name, dir_fd=parent)
