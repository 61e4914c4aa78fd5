"""The worker's own log: one line per event on stdout, for `docker logs`."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Protocol


class Journal(Protocol):
    """Where events go: a word for what happened, and its facts."""

    def __call__(self, event: str, /, **facts: object) -> None:
        """Writes one line; never raises."""


def stdout_journal(event: str, /, **facts: object) -> None:
    """Writes `time event key=value …` to stdout."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    words = [f"{key}={_shown(value)}" for key, value in facts.items() if value is not None]
    try:
        sys.stdout.write(" ".join([now, event, *words]) + "\n")
        sys.stdout.flush()
    except OSError:
        pass  # nobody reads: no reason to stop working


def _shown(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and not set(' "=') & set(text) and text != ""
    return text if plain else json.dumps(text)
