"""Wait for a condition that nothing signals."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

_FIRST = 0.001
"""Seconds until the second look: most of what is waited for in memory has happened by then."""


def eventually(look: Callable[[], _T], *, within: float = 60.0, every: float = 0.02) -> _T:
    """Return the first truthy result; fail after ``within`` seconds with the last one.

    Looks more often at first, in the end ``every`` so many seconds: a look that is work for what is
    looked at needs a rest.
    """
    deadline = time.monotonic() + within
    pause = min(_FIRST, every)
    while not (seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r} after {within} s"
        time.sleep(pause)
        pause = min(2 * pause, every)
    return seen
