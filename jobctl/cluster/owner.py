"""Who holds a lock, well enough to tell whether that process is gone. Reads /proc where it is."""

import os
import time
from functools import cache
from pathlib import Path

_START_TIME = 19  # field 22 of /proc/PID/stat, counted after the name in brackets


STALE_AFTER = 30.0
"""A lock this old (seconds) is that of a command which died: it is held for a second or so."""


def is_abandoned(owner: str, created: float) -> bool:
    """Tell whether a lock is held by nobody; ``created`` is when it was taken (epoch seconds)."""
    return time.time() - created > STALE_AFTER or is_gone(owner)


def current() -> str:
    """Return a text that names this process: machine boot, process namespace, id, start time."""
    return f"{_place()} {os.getpid()} {_started(os.getpid())}"


def is_gone(owner: str) -> bool:
    """Tell whether the process that `current` named has ended; False when that cannot be told."""
    place, _, process = owner.rpartition(" ")[0].rpartition(" ")
    started = owner.rpartition(" ")[2]
    if not process.isdigit() or place != _place() or not place.strip():
        return False  # another machine, or none that can be told apart
    return _started(int(process)) != started


@cache
def _place() -> str:
    # Read once: no process comes to another one while it lives.
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(process: int) -> str:
    """Return when a process started, in clock ticks since boot; "gone" when it is not there."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "gone"
    fields = stat.rpartition(")")[2].split()
    return "gone" if fields[0] in ("Z", "X") else fields[_START_TIME]
