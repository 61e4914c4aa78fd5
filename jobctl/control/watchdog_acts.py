"""What the watchdog decided, carried out: diagnoses, remedies, and what the book says of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from jobctl.cluster import names
from jobctl.control.deaths import Orderer
from jobctl.control.diagnostics import Diagnostics, Subject
from jobctl.control.incident import Finding, Kind
from jobctl.control.incident_book import Book
from jobctl.control.place import Place
from jobctl.control.releases import Say
from jobctl.control.watchdog_lanes import Lanes
from jobctl.control.watchdog_model import Ended, Found, Intent, Mend
from jobctl.control.watchdog_remedies import Remedies
from jobctl.control.watchdog_targets import View
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine


class Acts:
    """Does what was decided in other threads: for each container in order.

    ``view`` is the newest look at the cluster, set by whoever decides. ``wake`` is called when a
    remedy is over.
    """

    def __init__(
        self,
        engine: Engine,
        place: Place,
        book: Book,
        say: Say,
        *,
        ordered: Callable[[str, Orderer], None],
        wake: Callable[[], None],
    ) -> None:
        self.view: View | None = None
        self._engine = engine
        self._place = place
        self._book = book
        self._say = say
        self._wake = wake
        self._remedies = Remedies(place, ordered)
        self._diagnostics = Diagnostics(engine, place)
        self._lanes = Lanes(self._failed)
        self._lock = threading.Lock()
        self._mending: frozenset[str] = frozenset()

    @property
    def mending(self) -> frozenset[str]:
        """The instances whose remedy waits or is being carried out."""
        with self._lock:
            return self._mending

    def do(self, intent: Intent) -> None:
        """Begin what was decided; returns at once."""
        name = intent.instance
        if isinstance(intent, Found):
            self.find(name, "unhealthy", intent.finding.check, intent.finding)
        elif isinstance(intent, Mend):
            with self._lock:
                self._mending |= {name}
            self._lanes.add(name, partial(self._mend, intent))
        else:
            self._lanes.add(name, partial(self._end, intent))

    def find(self, instance: str, kind: Kind, cause: str, finding: Finding) -> None:
        """Diagnose a container, and note the finding with what that brought."""
        self._lanes.add(instance, partial(self._find, instance, kind, cause, finding))

    def after(self, instance: str, work: Callable[[], None]) -> None:
        """Do something after all that waits for this container."""
        self._lanes.add(instance, work)

    def _find(self, instance: str, kind: Kind, cause: str, finding: Finding) -> None:
        self._book.found(instance, kind, cause, finding, self._diagnosed(instance))

    def _diagnosed(self, instance: str) -> dict[str, Any]:
        view = self.view
        if view is None:
            return {}
        row = view.seen.containers.get(names.container(view.seen.project, instance))
        if row is None:
            return {}
        watch = view.config.watchdog.of(instance.rpartition("-")[0])
        subject = Subject(row, watch.diagnostics)
        return self._diagnostics.gather(subject, view.seen, self._secrets(view))

    def _secrets(self, view: View) -> list[str]:
        seen = view.seen
        held = seen.stored.secrets if seen.stored else None
        return [
            self._place.signing(seen).decode(),
            seen.connection.token if seen.connection else "",
            *(held.passwords.values() if held else ()),
        ]

    def _mend(self, intent: Mend) -> None:
        name = intent.instance
        try:
            self._book.mends(name, intent.remedy)
            engine = self._engine.clone()
            try:
                assert self.view is not None
                done = self._remedies.carry_out(engine, self.view, name, intent.remedy.kind)
            except EngineError as error:
                done = f"it failed: {str(error).rstrip('.')}"
            finally:
                engine.close()
            self._say("remedy-done", instance=name, reason=done)
            self._book.mended(name, done)
        finally:
            with self._lock:
                self._mending -= {name}
            self._wake()

    def _end(self, intent: Ended) -> None:
        if intent.outcome == "recovered":
            self._book.over(intent.instance, "checks", intent.reason)
        else:
            self._book.gave_up(intent.instance, intent.reason)

    def _failed(self, instance: str, error: Exception) -> None:
        self._say("watchdog-failed", instance=instance, reason=f"{error!r}")
