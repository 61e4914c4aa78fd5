"""What an operation tells while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Event:
    """One step of an operation, for people: ``subject`` such as ``worker-2``, ``text`` a phrase."""

    kind: Literal["action", "info", "wait", "log"]
    subject: str
    text: str
    state: Literal["started", "done", "failed", ""] = ""


OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Tell nobody."""
