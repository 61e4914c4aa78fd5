"""Sizes, durations and rates as people write them, to plain numbers and back."""

import re
from decimal import Decimal

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_SIZE_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
# Divisors and factors, not one float per unit: 500 / 1000 is exact where 500 * 0.001 is not.
_DURATION_FACTORS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

SIZE_PATTERN = r"^\d+(\.\d+)?\s*([kKmMgGtT]([iI]?[bB])?|[bB])?$"
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*([smhd])")

DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"
RATE_PATTERN = r"^\d+(\.\d+)?\s*/\s*[smhd]$"
SHARE_PATTERN = r"^(100|[1-9][0-9]?)%$"


def parse_size(value: object) -> int:
    """Turn ``134217728``, ``"128MB"`` or ``"64k"`` into bytes.

    Units are powers of 1024, as Docker reads them. Raises ValueError for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a size such as "128MB", "1GB" or a number of bytes')
    number, unit = match.groups()
    factor = _SIZE_FACTORS[unit.lower()]
    return int(number) * factor if number.isdigit() else round(float(number) * factor)


def format_size(size: int) -> str:
    """Write bytes in the largest unit that holds them exactly: ``128MB``, ``1500B``."""
    for unit in "tgmk":
        factor = _SIZE_FACTORS[unit]
        if size and size % factor == 0:
            return f"{size // factor}{unit.upper()}B"
    return f"{size}B"


def parse_duration(value: object) -> float:
    """Turn ``10``, ``"500ms"``, ``"10s"`` or ``"1h30m"`` into seconds.

    A bare number means seconds. Raises ValueError for anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if not _DURATION.fullmatch(text):
        raise ValueError('must be a duration such as "500ms", "10s", "1m" or a number of seconds')
    return sum(
        float(number) / 1000 if unit == "ms" else float(number) * _DURATION_FACTORS[unit]
        for number, unit in _DURATION_PART.findall(text)
    )


def format_duration(seconds: float) -> str:
    """Write seconds in the largest unit that holds them exactly: ``1m``, ``90s``, ``500ms``."""
    if seconds and seconds % 86400 == 0:
        return f"{seconds / 86400:.0f}d"
    if seconds and seconds % 3600 == 0:
        return f"{seconds / 3600:.0f}h"
    if seconds and seconds % 60 == 0:
        return f"{seconds / 60:.0f}m"
    if seconds % 1 == 0:
        return f"{seconds:.0f}s"
    milliseconds = round(seconds * 1000)
    if milliseconds / 1000 == seconds:
        return f"{milliseconds}ms"
    return f"{Decimal(repr(seconds)):f}s"  # never 1e-05, which no reader of the file would write


def parse_rate(value: object) -> float:
    """Turn ``"10/s"``, ``"600/m"`` or ``"50/h"`` into a number a second, above 0.

    Raises ValueError for anything else.
    """
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError('must be a rate such as "10/s", "600/m" or "50/h"')
    return float(match[1]) / _DURATION_FACTORS[match[2]]


def format_rate(per_second: float) -> str:
    """Write a rate in the shortest unit that holds it in a whole number: ``10/s``, ``7/m``."""
    for unit, seconds in _DURATION_FACTORS.items():
        number = round(per_second * seconds)
        if number and number / seconds == per_second:
            return f"{number}/{unit}"
    return f"{Decimal(repr(per_second)):f}/s"


def unavailable(most: int | str, replicas: int) -> int:
    """Return how many of a pool's workers may be away at once: 1 or more, whatever the share."""
    count = most if isinstance(most, int) else replicas * int(most.removesuffix("%")) // 100
    return max(1, count)


def parse_count_or_share(value: object) -> int | str:
    """Take ``2`` or ``"25%"``: a number from 1 on, or a share from 1% to 100% as it is written.

    Raises ValueError for anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and re.fullmatch(SHARE_PATTERN, value):
        return value
    raise ValueError("must be a whole number, 1 or more, or a share from 1% to 100%")
