"""Job ids: 26-character ULIDs, so that sorting by id is sorting by age."""

from __future__ import annotations

import os
import re
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# 128 bits in 26 characters of 5 bits: the first character can only be 0 to 7.
_SHAPE = re.compile(rf"[0-7][{_ALPHABET}]{{25}}")

_RANDOM_BITS = 80
_lock = threading.Lock()
_latest = 0


def new_id() -> str:
    """Mint an id: 48 bits of Unix time in ms, 80 random bits.

    Ids of one process always rise, also within a millisecond and when the clock steps
    back, so that a batch keeps its order.
    """
    global _latest  # noqa: PLW0603 - the promise is per process
    now_ms = time.time_ns() // 1_000_000
    fresh = (now_ms << _RANDOM_BITS) | int.from_bytes(os.urandom(_RANDOM_BITS // 8), "big")
    with _lock:
        # The step is random too: a forked child goes on from the same number.
        step = 1 + int.from_bytes(os.urandom(4), "big")
        _latest = fresh if now_ms > _latest >> _RANDOM_BITS else _latest + step
        number = _latest
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def is_id(text: str) -> bool:
    """Whether `text` is a well-formed job id (upper case, no separators)."""
    return _SHAPE.fullmatch(text) is not None
