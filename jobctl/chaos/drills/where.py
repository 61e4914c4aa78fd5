"""Where a drill is held, and how it tells whoever holds it how it stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobctl.client import Client
from jobctl.engine.protocol import Engine


@dataclass(frozen=True)
class Glance:
    """How a drill stands, for a live line: ``second`` of about ``of``."""

    second: float
    of: float
    acknowledged: int
    ended: int
    queued: int
    running: int
    workers: int
    faults: int
    alive: tuple[str, ...]


@dataclass(frozen=True)
class Where:
    """The cluster that a drill is held in. ``connect`` opens a client of its master.

    ``say`` is told what happens, ``show`` how it stands, about twice a second.
    """

    project: str
    engine: Engine
    connect: Callable[[], Client]
    say: Callable[[str], None]
    show: Callable[[Glance], None]
