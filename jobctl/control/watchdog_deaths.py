"""What the engine told of deaths, starts and resumptions, until the watchdog takes it up."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from jobctl.cluster import labels
from jobctl.cluster.observed import instance_of
from jobctl.control.deaths import Death
from jobctl.engine.model import Container, EngineEvent

AFTER = 1.0
"""Seconds between a death and its incident: first whatever died is to come back."""

OWN = 30.0
"""Seconds for which a controller that stands by keeps deaths: it may take over because of one."""


@dataclass(frozen=True)
class Died:
    """A container ended, and nobody had ordered it to; ``at`` is by the engine's clock (s)."""

    instance: str
    at: float
    exit_code: int | None
    death: Death


@dataclass
class Deaths:
    """Safe from any thread."""

    _died: list[Died] = field(default_factory=list)
    _started: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def heard(self, event: EngineEvent, death: Death | None) -> None:
        """Take an event; ``death`` is None unless it tells of a death that nobody ordered."""
        instance = event.labels.get(labels.INSTANCE)
        if event.kind != "container" or instance is None:
            return
        with self._lock:
            if event.action in ("start", "unpause"):
                # What stood still is as behind as what has just begun.
                self._started[instance] = event.time
            elif death is not None:
                self._died.append(Died(instance, event.time, event.exit_code, death))

    def due(self, now: float, at_once: Collection[str] = ()) -> list[Died]:
        """Return the deaths that are to be told by now, oldest first, once.

        ``at_once`` are the instances that healing itself waits for: nothing is about to come back.
        """
        with self._lock:
            found = [
                died for died in self._died if now - died.at >= AFTER or died.instance in at_once
            ]
            self._died = [died for died in self._died if died not in found]
        return found

    def next_due(self) -> float | None:
        """Return when the next one is to be told."""
        with self._lock:
            return min((died.at + AFTER for died in self._died), default=None)

    def started(self, rows: Iterable[Container]) -> dict[str, float]:
        """Return when each of these containers was started or resumed, as far as that is known."""
        with self._lock:
            return {
                name: max(row.created, self._started.get(name, 0.0))
                for row in rows
                for name in (instance_of(row),)
            }

    def forget(self, now: float) -> None:
        """Drop what somebody else has told; one of late may have been that one's own death."""
        with self._lock:
            self._died = [died for died in self._died if now - died.at < OWN]
