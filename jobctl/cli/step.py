"""One step of an action under way, as the CLI shows it."""

from dataclasses import dataclass
from typing import Protocol


class Step(Protocol):
    """What the progress of an action consists of (an Event of jobctl.cluster)."""

    @property
    def kind(self) -> str:
        """``action``, ``info``, ``wait`` or ``log``."""
        ...

    @property
    def subject(self) -> str:
        """What it is about, such as ``worker-2``."""
        ...

    @property
    def text(self) -> str:
        """What is being done."""
        ...

    @property
    def state(self) -> str:
        """``started``, ``done``, ``failed`` or empty."""
        ...


@dataclass(frozen=True)
class Progressed:
    """How far something is that takes a while."""

    subject: str
    text: str
    kind: str = "wait"
    state: str = ""
