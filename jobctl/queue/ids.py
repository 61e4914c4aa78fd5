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

_LETTER = (_ALPHABET * 8).encode()  # of any byte: each letter stands for eight of them
_RANDOM_LETTERS = 16
_STEP_BYTES = 4
# Ids minted after one another in a millisecond differ at their end only, and those of a quarter
# of an hour begin alike.
_TAIL_BITS, _ERA_BITS = 50, 20
_ENTROPY = 1024
_lock = threading.Lock()
_latest_ms = 0
_latest = "0" * 26
_tail = -1  # the number that the latest one's end is, if that is known
_era, _era_text = -1, ""
_entropy = b""


def new_id() -> str:
    """Mint an id: 48 bits of Unix time in ms, 80 random bits.

    Ids of one process always rise, also within a millisecond and when the clock steps
    back, so that a batch keeps its order.
    """
    global _latest, _tail  # noqa: PLW0603 - the promise is per process
    now_ms = time.time_ns() // 1_000_000
    with _lock:
        if now_ms > _latest_ms:
            _begin(now_ms)
            return _latest
        if _tail < 0:
            _tail = _number(_latest[-_TAIL_BITS // 5 :])
        # The step is random too: a forked child goes on from the same number.
        _tail += 1 + int.from_bytes(_some_bytes(_STEP_BYTES), "big")
        if _tail >> _TAIL_BITS:
            _begin(_latest_ms + 1)
        else:
            _latest = _latest[: -_TAIL_BITS // 5] + _letters(_tail, _TAIL_BITS)
        return _latest


def _begin(ms: int) -> None:
    """The first id of a millisecond."""
    global _latest_ms, _latest, _tail, _era, _era_text  # noqa: PLW0603
    if ms >> _ERA_BITS != _era:
        _era = ms >> _ERA_BITS
        _era_text = _letters(_era, 30)
    chance = _some_bytes(_RANDOM_LETTERS).translate(_LETTER).decode()
    _latest = f"{_era_text}{_PAIRS[ms >> 10 & 1023]}{_PAIRS[ms & 1023]}{chance}"
    _latest_ms, _tail = ms, -1


def is_id(text: str) -> bool:
    """Whether `text` is a well-formed job id (upper case, no separators)."""
    return text is _latest or _SHAPE.fullmatch(text) is not None


def _letters(number: int, bits: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(bits - 10, -1, -10)])


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number << 5 | _ALPHABET.index(letter)
    return number


def _some_bytes(count: int) -> bytes:
    """Random bytes nobody had before; asking the kernel for so few would cost the most."""
    global _entropy  # noqa: PLW0603
    if len(_entropy) < count:
        _entropy = os.urandom(_ENTROPY)
    taken, _entropy = _entropy[:count], _entropy[count:]
    return taken


def _forget_entropy() -> None:
    global _entropy  # noqa: PLW0603
    _entropy = b""


# Parent and child must not draw the same.
os.register_at_fork(after_in_child=_forget_entropy)
