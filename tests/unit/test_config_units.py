"""Sizes and durations: what is read, what is refused, and that writing them loses nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.config.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (0, 0),
        (4096, 4096),
        ("512", 512),
        ("64k", 64 << 10),
        ("128MB", 128 << 20),
        ("128 mb", 128 << 20),
        ("1GiB", 1 << 30),
        ("1.5g", 3 << 29),
        ("100B", 100),
    ],
)
def test_sizes_are_powers_of_1024(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", [True, None, -1, 1.5, "", "MB", "-1MB", "1 parsec", "1MBB", [1]])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(3, 3.0), (0.25, 0.25), ("500ms", 0.5), ("10s", 10.0), ("1m", 60.0), ("1h30m", 5400.0)],
)
def test_durations_are_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", [True, None, -1, float("nan"), float("inf"), "", "10", "-1s", "s", "1 day", "1s and"]
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(text)


@given(st.integers(0, 1 << 60))
def test_a_size_survives_being_written(size: int) -> None:
    written = format_size(size)
    assert parse_size(written) == size
    assert re.fullmatch(SIZE_PATTERN, written)


@given(st.floats(0, 1e9, allow_nan=False))
def test_a_duration_survives_being_written(seconds: float) -> None:
    written = format_duration(seconds)
    assert parse_duration(written) == seconds
    assert re.fullmatch(DURATION_PATTERN, written)


def test_they_are_written_in_the_largest_unit_that_fits() -> None:
    assert [format_size(size) for size in (128 << 20, 1536 << 20, 1000, 0)] == [
        *("128MB", "1536MB", "1000B", "0B")
    ]
    assert [format_duration(seconds) for seconds in (0.5, 10, 60, 90, 7200, 0)] == [
        *("500ms", "10s", "1m", "90s", "2h", "0s")
    ]
