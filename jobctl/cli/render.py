"""Everything that Rich draws: colour in tables, and live progress. Imported only on a terminal."""

from collections.abc import Sequence
from threading import Lock
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text

from jobctl.cli.step import Step
from jobctl.cli.text import Block, Table

STYLES = {
    **dict.fromkeys(("succeeded", "healthy", "ok", "idle"), "green"),
    **dict.fromkeys(("running", "busy", "claimed"), "cyan"),
    **dict.fromkeys(("queued", "scheduled", "blocked", "starting", "warn", "draining"), "yellow"),
    **dict.fromkeys(("failed", "unhealthy", "exited", "dead", "lost", "fail", "oom"), "red"),
    **dict.fromkeys(("cancelled", "drained", "created"), "dim"),
}
"""The colour of a word that stands alone in a cell; it means the same in every table."""


def show(blocks: Sequence[Block], stream: TextIO) -> None:
    """Print text and tables to a terminal."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
    for block in blocks:
        if isinstance(block, str):
            console.print(Text(block))
        elif block.rows:
            console.print(_table(block), soft_wrap=False)
        else:
            console.print(Text(block.empty, style="dim"))


def _table(table: Table) -> RichTable:
    # The first column is a name or an id: what one copies is never cut.
    columns = [
        Column(name.upper(), no_wrap=position == 0, overflow="fold", header_style="dim")
        for position, name in enumerate(table.columns)
    ]
    drawn = RichTable(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in table.rows:
        drawn.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    return drawn


class LiveProgress:
    """A spinner for each action under way; what ended stays above as a line."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._live = Live(console=self._console, transient=True, refresh_per_second=10)
        self._running: dict[str, Spinner] = {}
        self._lock = Lock()

    def __enter__(self) -> "LiveProgress":
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def step(self, step: Step) -> None:
        """Start, replace or end the line of the step's subject."""
        with self._lock:
            if step.state == "started" or (step.kind == "wait" and not step.state):
                line = Text(f"{step.subject:<14} {step.text}")
                self._running[step.subject] = Spinner("dots", line, style="cyan")
                ended = None
            else:
                self._running.pop(step.subject, None)
                ended = _ended(step)
            # First what still runs, then the line above it: printing draws the former again.
            self._live.update(Group(*self._running.values()), refresh=True)
            if ended is not None:
                self._console.print(ended)


def _ended(step: Step) -> Text:
    mark, style = {"done": ("✓", "green"), "failed": ("✗", "red")}.get(step.state, ("·", "dim"))
    return Text.assemble((mark, style), f" {step.subject:<14} {step.text}")
