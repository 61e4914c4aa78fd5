"""What the launcher asks of the kernel beyond what `os` offers, and about itself.

Imported by the launcher alone: like launcher_main.py it must bring nothing along.
"""

from __future__ import annotations

import os

from .libc import function

# Also children that announce their end by another signal than SIGCHLD.
WALL = 0x40000000
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_READ = 16_384


_prctl = function("prctl")
_waitpid = function("waitpid")


def protect() -> None:
    """For the kernel's choice when memory is short, for orphans, and against being read."""
    adjust = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    os.write(adjust, b"1000")
    os.close(adjust)
    for option, value in ((_PR_SET_CHILD_SUBREAPER, 1), (_PR_SET_DUMPABLE, 0)):
        if _prctl(option, value, 0, 0, 0) != 0:
            raise OSError(f"prctl {option} failed")


def reap(options: int = 0) -> int:
    """The number of an ended child, whose status is lost; 0: none has; -1: there is none."""
    # Python's own would make an exception of what nearly always is so: no child is left.
    number: int = _waitpid(-1, None, options | WALL)
    return number


def children() -> list[int]:
    """The numbers of all children that live."""
    fd = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)
    try:
        said = b""
        while part := os.read(fd, _READ):
            said += part
        return [int(word) for word in said.split()]
    finally:
        os.close(fd)


def standing() -> tuple[object, ...]:
    """What others of the same user can change of this process, and what its children inherit."""
    return os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), os.sched_getaffinity(0)
