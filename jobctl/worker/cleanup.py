"""Leaving nothing behind: processes and scratch files of a slot that has ended its job."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from .settings import JobUser
from .trees import sweep

# Scanning and killing loses against a fork bomb; one kill(-1) as that UID does not.
_SCANS_BEFORE_HELPER = 2
_MOST_ROUNDS = 200
# The kernel stamps changes by a clock with ticks of up to 10 ms.
_SETTLED_NS = 30_000_000


def signal_group(group: int, number: int) -> None:
    """Signals a process group that may be gone already."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def processes_of(uid: int, proc: Path = Path("/proc")) -> Iterator[int]:
    """Finds live processes (no zombies) whose real UID this is, one by one."""
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "status").read_text()
        except OSError:
            continue  # it ended meanwhile
        if _lives_as(status, uid):
            yield int(entry.name)


def _lives_as(status: str, uid: int) -> bool:
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    state, owners = fields.get("State", "").split(), fields.get("Uid", "").split()
    return bool(state and owners) and state[0] not in "ZX" and owners[0] == str(uid)


def end_all_of(user: JobUser) -> bool:
    """Kills every process of a job's UID, however it left its group; False if some stay.

    Never called for the supervisor's own UID: that would end the supervisor.
    """
    if user.uid in (0, os.geteuid()):
        raise ValueError("this would end the supervisor")
    for turn in range(_MOST_ROUNDS):
        found = False
        for pid in processes_of(user.uid):
            found = True
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return True
        if turn >= _SCANS_BEFORE_HELPER:
            _kill_as(user)
    return False


def _kill_as(user: JobUser) -> None:
    # The shell's own kill: no further process is needed when the pids limit is reached.
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            ["/bin/sh", "-c", "kill -KILL -1"],
            user=user.uid,
            group=user.gid,
            extra_groups=[],
            check=False,
            timeout=5,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def clear_scratch(places: Sequence[Path], uid: int) -> None:
    """Removes what this UID left in world-writable folders; OSError if some of it stays."""
    for place in places:
        try:
            folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue  # not every container has it
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.stat(follow_symlinks=False).st_uid == uid:
                        _remove(folder, entry)
        finally:
            os.close(folder)


class Scratch:
    """The world-writable folders as one slot knows them: cleared only if they have changed.

    A folder's time changes with every entry made or removed in it. By the clock's tick, that
    is: one that changed just before it was cleared could change again unseen, and counts as
    changed.
    """

    def __init__(self, places: Sequence[Path], uid: int) -> None:
        # Not every container has all of them.
        self._places = [place for place in places if place.is_dir()]
        self._uid = uid
        # Held, as every job asks for their times: a path costs three times as much.
        self._held = [os.open(place, os.O_PATH | os.O_CLOEXEC) for place in self._places]
        self._seen: list[int] = []

    def changed(self) -> bool:
        """Whether there can be anything new to clear."""
        # A loop that ends at the first difference: every job passes here.
        for fd, seen in zip(self._held, self._seen, strict=False):
            if os.fstat(fd).st_mtime_ns != seen:
                return True
        return len(self._seen) != len(self._held)

    def clear(self) -> None:
        """Removes what the UID left there; OSError if some of it stays."""
        # Looked at before: what comes meanwhile is then seen the next time.
        seen = self._times()
        settled = time.time_ns() - max(seen, default=0) > _SETTLED_NS
        self._seen = []
        clear_scratch(self._places, self._uid)
        self._seen = seen if settled else []

    def close(self) -> None:
        """Lets the folders go."""
        for fd in self._held:
            os.close(fd)
        self._held = []

    def _times(self) -> list[int]:
        return [os.fstat(fd).st_mtime_ns for fd in self._held]


def _remove(folder: int, entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        sweep(folder, entry.name, _ROOT, _unlink, remove=True)
        os.rmdir(entry.name, dir_fd=folder)
    else:
        os.unlink(entry.name, dir_fd=folder)


_ROOT = 0


def _unlink(parent: int, entry: os.DirEntry[str], _depth: int) -> None:
    os.unlink(entry.name, dir_fd=parent)
