"""The engine's events as they come: hints, so whoever listens looks for himself each time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobctl.cluster import labels
from jobctl.control.troubles import Troubles
from jobctl.engine.errors import EngineError
from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import Engine, EventStream

_AGAIN = 0.5
"""Seconds until the next try to subscribe, after the engine did not answer."""


class Feed:
    """Subscribes, and again whenever the connection ends, in a thread of its own.

    `connected` is called after each subscription and before its first event: what happened before
    is to be found by looking. `heard` gets the events, in their order.
    """

    def __init__(
        self,
        engine: Engine,
        project: str,
        troubles: Troubles,
        *,
        connected: Callable[[], None],
        heard: Callable[[EngineEvent], None],
    ) -> None:
        self._engine = engine
        self._labels = labels.of_project(project)
        self._troubles = troubles
        self._connected = connected
        self._heard = heard
        self._stopped = threading.Event()
        self._stream: EventStream | None = None
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more, and wait until nobody is told anything."""
        self._stopped.set()
        if (stream := self._stream) is not None:
            stream.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._troubles.within("events"):
                self._listen()
            # A restarting engine ends the connection at once, again and again.
            self._stopped.wait(_AGAIN)

    def _listen(self) -> None:
        try:
            self._stream = self._engine.events(self._labels)
        except EngineError:
            return  # the loop finds it, too, and says so
        if self._stopped.is_set():
            self._stream.close()  # `stop` may have come too early to see it
            return
        self._connected()
        for event in self._stream:
            self._heard(event)
