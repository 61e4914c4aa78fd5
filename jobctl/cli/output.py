"""Where a command's words go: data to stdout, progress and notes to stderr, text or one envelope.

With ``--output json`` stdout carries nothing but envelopes, one JSON object a line; a streaming
command prints many, every other command exactly one.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from threading import Lock
from types import TracebackType
from typing import Any, Literal, Protocol, TextIO

from jobctl.cli.errors import Failure
from jobctl.cli.step import Step
from jobctl.cli.text import Block, Table

SCHEMA = 1
Format = Literal["text", "json"]
SLOW = ("build",)
"""Actions whose start is told in plain text too: silence would look like a hang."""


class Progress(Protocol):
    """Shows steps as they come, possibly from several threads."""

    def __enter__(self) -> "Progress":
        """Begin to show."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the screen as it should stay."""
        ...

    def step(self, step: Step) -> None:
        """Show one step."""
        ...


class PlainProgress:
    """One line for each step that ended or says something; of those begun only the slow ones."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()

    def __enter__(self) -> "PlainProgress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def step(self, step: Step) -> None:
        """Write the step's line."""
        if step.state == "started" and step.kind == "action" and step.text not in SLOW:
            return
        with self._lock:
            self._stream.write(step_line(step) + "\n")
            self._stream.flush()


def step_line(step: Step) -> str:
    """Return a step as one line of text."""
    failed = "failed: " if step.state == "failed" else ""
    going = " …" if step.state == "started" else ""
    return f"{step.subject:<14} {failed}{step.text}{going}".strip()


class Output:
    """The two streams of one command run, and the format its results are printed in."""

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.format: Format = "text"
        self.command = ""
        self.given = ""
        """The -f or -p of this command line, as it was typed."""
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr

    @property
    def json(self) -> bool:
        """Whether results are envelopes."""
        return self.format == "json"

    @property
    def bare(self) -> bool:
        """Whether text goes somewhere a person does not look: a file or a pipe."""
        return not self._stdout.isatty()

    def result(self, data: Any, *blocks: Block) -> None:
        """Print a command's result: ``data`` in the envelope, or the blocks as text."""
        if self.json:
            self.item(data)
            return
        shown = [block for block in blocks if block and (isinstance(block, str) or _says(block))]
        if self.bare or os.environ.get("NO_COLOR"):
            for block in shown:
                self._stdout.write((block if isinstance(block, str) else block.plain()) + "\n")
        else:
            from jobctl.cli import render  # noqa: PLC0415 - Rich only on a terminal

            render.show(shown, self._stdout)
        self._stdout.flush()

    def item(self, data: Any) -> None:
        """Print one envelope of a stream (or the only one)."""
        self._envelope({"ok": True, "data": data})

    def listing(self, name: str) -> "Listing":
        """Begin an envelope whose data is one long list under ``name``, written as it comes."""
        return Listing(self._stdout, self.command, name)

    def line(self, text: str) -> None:
        """Print one line of text result as soon as it is known."""
        self._stdout.write(text + "\n")
        self._stdout.flush()

    def raw(self, data: bytes) -> None:
        """Print bytes exactly as they are (a log, an artifact)."""
        buffer = getattr(self._stdout, "buffer", None)
        if buffer is None:
            self._stdout.write(data.decode("utf-8", "replace"))
            self._stdout.flush()
            return
        self._stdout.flush()
        buffer.write(data)
        buffer.flush()

    def note(self, text: str) -> None:
        """Tell the person at the terminal something that is not part of the result."""
        self._stderr.write(text + "\n")
        self._stderr.flush()

    def progress(self) -> Progress:
        """Return a display for an action's steps: live on a terminal, plain lines otherwise."""
        if self._stderr.isatty() and os.environ.get("TERM") != "dumb":
            from jobctl.cli import render  # noqa: PLC0415 - Rich only on a terminal

            return render.LiveProgress(self._stderr)
        return PlainProgress(self._stderr)

    def failure(self, failure: Failure) -> None:
        """Print an error, once: in the envelope on stdout, or as text on stderr."""
        failure = replace(failure, hint=self.addressed(failure.hint))
        if self.json:
            self._envelope({"ok": False, "error": failure.data()})
        else:
            self.note("\n".join(failure.lines()))

    def addressed(self, hint: str) -> str:
        """Return a next command with this one's -f or -p, so that it means the same cluster."""
        given = f"jobctl {self.given} " if self.given else "jobctl "
        return re.sub(r"\bjobctl (?!init\b)(?=[a-z])", lambda _: given, hint)

    def _envelope(self, body: Mapping[str, Any]) -> None:
        envelope = {"schema": SCHEMA, "command": self.command, **body}
        self._stdout.write(json.dumps(envelope, ensure_ascii=False, default=str) + "\n")
        self._stdout.flush()


class Listing:
    """An envelope with a list of any length: no more than one item is held.

    What may go wrong half way comes last: whether it is ok, where to go on, and the error.
    """

    def __init__(self, stream: TextIO, command: str, name: str) -> None:
        self._stream = stream
        self._stream.write(f'{{"schema": {SCHEMA}, "command": {json.dumps(command)}, "data": ')
        self._stream.write(f"{{{json.dumps(name)}: [")
        self._between = ""

    def add(self, items: Iterable[Any]) -> None:
        """Write some more items."""
        for item in items:
            self._stream.write(self._between + json.dumps(item, ensure_ascii=False, default=str))
            self._between = ", "

    def end(self, cursor: str | None, failure: Failure | None = None) -> None:
        """End the list; ``cursor`` is where another one would go on."""
        ending: dict[str, Any] = {"ok": failure is None}
        if failure is not None:
            ending["error"] = failure.data()
        rest = json.dumps(ending, ensure_ascii=False)[1:]
        self._stream.write(f'], "cursor": {json.dumps(cursor)}}}, {rest}\n')
        self._stream.flush()


def _says(table: Table) -> bool:
    return bool(table.rows or table.empty)
