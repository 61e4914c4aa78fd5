"""Wait for a condition that nothing signals."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def eventually(look: Callable[[], _T], *, within: float = 60.0) -> _T:
    """Return the first truthy result; fail after ``within`` seconds with the last one."""
    deadline = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r} after {within} s"
        time.sleep(0.02)
    return seen
