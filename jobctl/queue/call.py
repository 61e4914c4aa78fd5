"""The two shapes of a call: a function of the library, and a plain Redis command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")

Lease = tuple[str, int]
"""A job's id and the attempt that was handed out."""

Arg = str | int | float

MAX_BLOCK = 5.0
"""Longest blocking wait in seconds: shorter than the socket timeout (see connect.py)."""


class Call(NamedTuple, Generic[T]):
    """One atomic call of a library function, named without the library's prefix."""

    function: str
    args: tuple[Arg, ...]
    decode: Callable[[Any], T]


class Command(NamedTuple, Generic[T]):
    """One plain Redis command, built from the project's key prefix."""

    build: Callable[[str], tuple[Arg, ...]]
    decode: Callable[[Any], T]
