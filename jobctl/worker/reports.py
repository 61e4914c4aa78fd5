"""What a job says of itself: finding it in its output, checking it, merging it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MARK = b"::jobctl "
MAX_LINE = 4096
_MAX_STEP = 200


@dataclass(frozen=True)
class Report:
    """Progress in percent, a step's name, a checkpoint (JSON text); None: not said."""

    progress: float | None = None
    step: str | None = None
    checkpoint: str | None = None

    def over(self, older: Report) -> Report:
        """Both as one: what this one does not say stays as it was."""
        return Report(
            older.progress if self.progress is None else self.progress,
            older.step if self.step is None else self.step,
            older.checkpoint if self.checkpoint is None else self.checkpoint,
        )


def parse_report(line: bytes) -> Report | None:
    """Reads one JSON object; wrong fields count as not said, nothing right gives None."""
    try:
        said = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    report = Report(_progress(said), _step(said), _checkpoint(said))
    return None if report == Report() else report


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _progress(said: dict[str, Any]) -> float | None:
    value = said.get("progress")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 100 else None


def _step(said: dict[str, Any]) -> str | None:
    value = said.get("step")
    # Redis takes UTF-8 only; JSON can hold half of a surrogate pair.
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "replace").decode()[:_MAX_STEP]


def _checkpoint(said: dict[str, Any]) -> str | None:
    if "checkpoint" not in said:
        return None
    return json.dumps(said["checkpoint"], separators=(",", ":"))


class Lines:
    """Cuts a stream into the lines that may be reports, in bounded memory.

    `mark` is what such a line starts with (nothing: every line counts). Lines of more
    than MAX_LINE bytes are passed over, as are all others than reports.
    """

    def __init__(self, mark: bytes = MARK) -> None:
        self._mark = mark
        self._partial = b""
        self._skipping = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Takes the next bytes; returns the lines completed by them, without the mark."""
        found = []
        if self._skipping:
            _, newline, chunk = chunk.partition(b"\n")
            if not newline:
                return []
            self._skipping = False
        whole, newline, rest = (self._partial + chunk).rpartition(b"\n")
        if newline and self._mark in whole:
            found = [line for line in whole.split(b"\n") if self._counts(line)]
        self._keep(rest)
        return [line.removeprefix(self._mark) for line in found]

    def _counts(self, line: bytes) -> bool:
        return line.startswith(self._mark) and len(line) <= MAX_LINE

    def _keep(self, rest: bytes) -> None:
        head = rest[: len(self._mark)]
        hopeless = head != self._mark[: len(rest)] or len(rest) > MAX_LINE
        self._skipping = hopeless
        self._partial = b"" if hopeless else rest
