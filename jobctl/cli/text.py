"""How values read in text output: tables, ages, sizes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jobctl.queue.span import span

GAP = "  "


@dataclass(frozen=True)
class Table:
    """Rows under column names; how it looks depends on where it goes."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str = ""
    head: bool = True
    least: Sequence[int] = ()
    """How wide its columns are at least: a long table comes in parts, of which one has the head."""

    @property
    def widths(self) -> list[int]:
        """How wide each column is."""
        lines = [self.columns, *self.rows]
        own = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        return list(map(max, own, self.least)) if self.least else own

    def plain(self) -> str:
        """Return aligned columns without any decoration."""
        if not self.rows:
            return self.empty
        head = [tuple(name.upper() for name in self.columns)] if self.head else []
        lines = [*head, *self.rows]
        widths = self.widths
        return "\n".join(
            GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


Block = str | Table
"""One piece of a command's text output."""


def when(value: str | None) -> datetime | None:
    """Read a time of the master's JSON (ISO 8601, UTC)."""
    return datetime.fromisoformat(value) if value else None


def iso(seconds: float) -> str | None:
    """Write seconds since the epoch as ISO 8601 in UTC with milliseconds; None for "never"."""
    if seconds <= 0:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(value: str | None, now: float) -> str:
    """Return how long before ``now`` (epoch seconds) an ISO time was; "" for none."""
    moment = when(value)
    if moment is None:
        return ""
    past = now - moment.timestamp()
    return f"in {span(-past)}" if past < -1 else f"{span(max(1.0, past))} ago"


def took(start: str | None, end: str | None, now: float) -> str:
    """Return the time between two ISO times, up to ``now`` while there is no end."""
    began, ended = when(start), when(end)
    if began is None:
        return ""
    return span(max(0.0, (ended.timestamp() if ended else now) - began.timestamp()))


def size(count: int) -> str:
    """Return bytes in the largest unit that reads well: 512B, 128MB, 1.5GB."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if value < 1024 or unit == "TB":
            return f"{value:.1f}".removesuffix(".0") + unit
        value /= 1024
    raise AssertionError("unreachable: TB always returns")


def shortened(words: str, limit: int) -> str:
    """Cut a text to ``limit`` characters, saying so with an ellipsis."""
    flat = " ".join(words.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def counted(count: int, noun: str) -> str:
    """Return ``1 job``, ``3 jobs``."""
    return f"{count} {noun}" + ("" if count == 1 else "s")
