"""Job ids minted by the client, so that a submit may be repeated: 26-character ULIDs.

The same ids as `jobctl.queue.ids` makes, without needing the queue's Redis client installed.
"""

import os
import re
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SHAPE = re.compile(rf"[0-7][{_ALPHABET}]{{25}}")


def new_id() -> str:
    """Mint an id: 48 bits of Unix time in ms, 80 random bits, so that ids sort by age."""
    number = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of a job id."""
    return _SHAPE.fullmatch(text) is not None
