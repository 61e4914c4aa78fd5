"""Job ids: 26-character ULIDs, so that sorting by id is sorting by age."""

from __future__ import annotations

import os
import re
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# 128 bits in 26 characters of 5 bits: the first character can only be 0 to 7.
_SHAPE = re.compile(rf"[0-7][{_ALPHABET}]{{25}}")
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]

_RANDOM_BITS = 80
_STEP_BYTES = 4
_lock = threading.Lock()
_latest = 0
_entropy = b""
# Ids minted after one another differ at their end only.
_TAIL_BITS = 50
_head, _head_text = -1, ""


def new_id() -> str:
    """Mint an id: 48 bits of Unix time in ms, 80 random bits.

    Ids of one process always rise, also within a millisecond and when the clock steps
    back, so that a batch keeps its order.
    """
    global _latest, _head, _head_text  # noqa: PLW0603 - the promise is per process
    now_ms = time.time_ns() // 1_000_000
    with _lock:
        if now_ms > _latest >> _RANDOM_BITS:
            fresh = int.from_bytes(os.urandom(_RANDOM_BITS // 8), "big")
            _latest = (now_ms << _RANDOM_BITS) | fresh
        else:
            # The step is random too: a forked child goes on from the same number.
            _latest += 1 + int.from_bytes(_some_bytes(), "big")
        head, tail = _latest >> _TAIL_BITS, _latest & ((1 << _TAIL_BITS) - 1)
        if head != _head:
            _head, _head_text = head, _letters(head, 80)
        return _head_text + _letters(tail, _TAIL_BITS)


def is_id(text: str) -> bool:
    """Whether `text` is a well-formed job id (upper case, no separators)."""
    return _SHAPE.fullmatch(text) is not None


def _letters(number: int, bits: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(bits - 10, -1, -10)])


def _some_bytes() -> bytes:
    """Random bytes nobody had before; asking the kernel for so few would cost the most."""
    global _entropy  # noqa: PLW0603
    if not _entropy:
        _entropy = os.urandom(256 * _STEP_BYTES)
    taken, _entropy = _entropy[:_STEP_BYTES], _entropy[_STEP_BYTES:]
    return taken


def _forget_entropy() -> None:
    global _entropy  # noqa: PLW0603
    _entropy = b""


# Parent and child must not draw the same.
os.register_at_fork(after_in_child=_forget_entropy)
