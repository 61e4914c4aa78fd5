"""Ids that follow from one: what is submitted again under the same first id is the same jobs."""

import itertools
from collections.abc import Iterator

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_SHIFTS = range(125, -1, -5)
_ALL = (1 << 128) - 1


def numbered(first: str) -> Iterator[str]:
    """Yield ``first`` (a ULID) and the ids that follow it, for ever."""
    number = 0
    for digit in first:
        number = number << 5 | _VALUES[digit]
    for value in itertools.count(number):
        kept = value & _ALL
        yield "".join([_DIGITS[kept >> shift & 31] for shift in _SHIFTS])
