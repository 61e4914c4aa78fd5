"""How often the kernel killed for lack of memory in this container's cgroup."""

from __future__ import annotations

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


def oom_kills(counters: Sequence[Path] = _COUNTERS) -> int:
    """Kills so far; 0 where the kernel does not say (then no job is ever called oom)."""
    for counter in counters:
        try:
            kills = parse_oom_kill(counter.read_text())
        except OSError:
            continue
        if kills is not None:
            return kills
    return 0
