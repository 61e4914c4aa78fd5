"""Asking before something is gone for good."""

import sys

from jobctl.cli.errors import UsageError
from jobctl.cli.output import Output


def confirm(out: Output, question: str, without_asking: str) -> None:
    """Return when the person at the terminal agrees.

    Without a terminal nobody can be asked: that is an error, and names the command that needs no
    answer.
    """
    if out.json or not sys.stdin.isatty():
        raise UsageError(f"Nobody is here to answer: {question}", without_asking)
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("Nothing was done.", without_asking, "declined")
