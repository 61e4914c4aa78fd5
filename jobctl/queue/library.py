"""The Redis function library: its name, and its source put together.

The words and the table of transitions are written into the Lua from `status.py`, so
they exist once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path

from .spec import Backoff, own_queue
from .status import FAILURES, HELD, INDEXED, LOSSES, MAX_CRASHES, MAX_LOSSES, TERMINAL, TRANSITIONS

SCHEMA = 2
"""Version of the data in Redis; part of the library's name and of every function's."""

OLDER = 1
"""The schema that `migrate` turns into this one."""


def library_name(schema: int) -> str:
    """What the library of a schema is called in Redis."""
    return f"jobctl{schema}"


LIBRARY = library_name(SCHEMA)

# In the order in which each builds on the ones before.
_PARTS = (
    "core",
    "flush",
    "flow",
    "queues",
    "limits",
    "leases",
    "express",
    "jobs",
    "cascades",
    "claims",
    "waiting",
    "attempts",
    "workers",
    "controller",
    "schedules",
    "retention",
    "backup",
    "restore",
    "reads",
    "listing",
    "migrate",
)


def function_name(function: str) -> str:
    """The name under which a function of this schema is called."""
    return f"{LIBRARY}_{function}"


@cache
def source() -> str:
    """What FUNCTION LOAD gets."""
    # Not importlib.resources: its import costs every idle worker a megabyte.
    folder = Path(__file__).parent / "lua"
    parts = [(folder / f"{part}.lua").read_text(encoding="utf-8") for part in _PARTS]
    return "\n".join([f"#!lua name={LIBRARY}", _words(), *parts])


def _words() -> str:
    allowed: dict[str, list[str]] = {}
    for edge in TRANSITIONS:
        allowed.setdefault(edge.was or "new", []).append(edge.to)
    pause = [f"{name} = {value}" for name, value in asdict(Backoff()).items()]
    rows = [f"  [{_quote(was)}] = {_set(to)}," for was, to in allowed.items()]
    return "\n".join(
        [
            f"local SCHEMA, THIS_SCHEMA, LIBRARY = {SCHEMA}, '{SCHEMA}', '{LIBRARY}'",
            f"local MAX_CRASHES, MAX_LOSSES = {MAX_CRASHES}, {MAX_LOSSES}",
            f"local OWN = {_quote(own_queue(''))}",
            f"local HELD, TERMINAL = {_set(HELD)}, {_set(TERMINAL)}",
            f"local INDEXED = {_set(INDEXED)}",
            f"local FAILURES, LOSSES = {_set(FAILURES)}, {_set(LOSSES)}",
            f"local BACKOFF = {{ {', '.join(pause)} }}",
            "local ALLOWED = {",
            *rows,
            "}",
        ]
    )


def _set(words: Iterable[str]) -> str:
    return "{ " + ", ".join(f"[{_quote(word)}] = true" for word in sorted(words)) + " }"


def _quote(word: str) -> str:
    return f"'{word}'"
