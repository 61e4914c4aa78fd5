"""What a function leaves behind while its executor lives on: processes and scratch files."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..cleanup import clear_scratch, processes_of
from ..settings import JobUser

# More than this many in a row and they are made faster than they are killed.
_ROUNDS = 20


def end_others(executor: int, user: JobUser | None, *, alone: bool) -> bool:
    """Kills what the slot's jobs started, but not the executor; False if some stay.

    The slot's own UID tells. Where others share it, only the executor's session does,
    unless they are known to be idle.
    """
    for _ in range(_ROUNDS):
        found = False
        for pid in _others(executor, user, alone=alone):
            found = True
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            return True
    return False


def _others(executor: int, user: JobUser | None, *, alone: bool) -> Iterator[int]:
    if user is not None and (alone or not user.shared):
        candidates = processes_of(user.uid)
    else:
        candidates = _session(executor)
    return (pid for pid in candidates if pid != executor)


def _session(leader: int, proc: Path = Path("/proc")) -> Iterator[int]:
    """Live processes of a session."""
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name, in brackets, may hold anything.
            state, _, _, session, *_ = (
                (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            )
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if int(session) == leader and state not in "ZX":
            yield int(entry.name)


class Scratch:
    """The world-writable folders. Their times of change tell what no audit event did."""

    def __init__(self, places: Sequence[Path], user: JobUser | None) -> None:
        self._places = places
        self._user = user
        self._seen = self._times()

    def changed(self) -> bool:
        """Whether anything was made or removed in them since they were cleared."""
        return self._user is not None and self._times() != self._seen

    def clear(self) -> None:
        """Removes what the slot's UID has there. OSError if some of it stays."""
        if self._user is not None:
            clear_scratch(self._places, self._user.uid)
            self._seen = self._times()

    def _times(self) -> list[int]:
        times = []
        for place in self._places:
            with suppress(OSError):
                times.append(os.stat(place).st_mtime_ns)  # noqa: PTH116 - twice as fast
        return times
