"""Job ids: 26-character ULIDs, so that sorting by id is sorting by age."""

from __future__ import annotations

import os
import re
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# 128 bits in 26 characters of 5 bits: the first character can only be 0 to 7.
_SHAPE = re.compile(rf"[0-7][{_ALPHABET}]{{25}}")


def new_id(now_ms: int | None = None) -> str:
    """Mint an id: 48 bits of Unix time in ms (now unless given), 80 random bits."""
    stamp = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    number = (stamp << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def is_id(text: str) -> bool:
    """Whether `text` is a well-formed job id (upper case, no separators)."""
    return _SHAPE.fullmatch(text) is not None
