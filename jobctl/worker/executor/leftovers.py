"""Processes that a function leaves behind while its executor lives on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..cleanup import processes_of
from ..settings import JobUser

# New ones more often than this in a row, and they are made faster than they are killed.
_ROUNDS = 20
# A killed process needs the processor once more to die; on a loaded machine it waits for it.
_PATIENCE = 5.0
_POLL = 0.001


def end_others(executor: int, user: JobUser | None, *, alone: bool) -> bool:
    """Kills what the slot's jobs started, but not the executor; False if some stay.

    The slot's own UID tells. Where others share it, only the executor's session does,
    unless they are known to be idle.
    """
    killed: set[int] = set()
    rounds, deadline = 0, time.monotonic() + _PATIENCE
    while found := set(_others(executor, user, alone=alone)):
        if found <= killed:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
            continue
        rounds += 1
        if rounds > _ROUNDS:
            return False
        for pid in found - killed:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= found
    return True


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
