"""The engine's events as they come: hints, so whoever listens looks for himself each time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import closing

from jobctl.cluster import labels
from jobctl.control.troubles import Troubles
from jobctl.engine.errors import EngineError
from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import Engine, EventStream

_AGAIN = 0.5
"""Seconds until the next try to subscribe, after the engine did not answer."""

_DISORDER = 1.0
_KNOWN = 512
"""So many events are known again, when the engine is asked from so many seconds before the last."""


class Feed:
    """Subscribes, and again whenever the connection ends, in a thread of its own.

    `heard` gets the events in their order, each once: first those since the last that was heard, as
    far as the engine remembers them. `connected` is called after these, at each subscription: what
    the engine has forgotten is to be found by looking.
    """

    def __init__(
        self,
        engine: Engine,
        project: str,
        troubles: Troubles,
        *,
        last: float,
        connected: Callable[[], None],
        heard: Callable[[EngineEvent], None],
    ) -> None:
        self._engine = engine
        self._labels = labels.of_project(project)
        self._troubles = troubles
        self._connected = connected
        self._heard = heard
        self.last = last
        """When the last event that was heard happened (s, of the engine's clock); 0: none was."""
        self._known: deque[tuple[float, str, str]] = deque(maxlen=_KNOWN)
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
        with closing(self._stream):
            if self._stopped.is_set():
                return  # `stop` may have come too early to see it
            self._catch_up()
            self._connected()
            for event in self._stream:
                self._take(event)

    def _catch_up(self) -> None:
        if not self.last:
            return
        engine = self._engine.clone()
        try:
            # The engine does not tell strictly in the order of its instants.
            since = self.last - _DISORDER if self._known else self.last
            for event in engine.recent_events(self._labels, since):
                self._take(event)
        except EngineError:
            return  # whatever happened is found by looking, if without its cause
        finally:
            engine.close()

    def _take(self, event: EngineEvent) -> None:
        # What happens during the subscription comes in both ways.
        key = (event.time, event.id, event.action)
        if event.time <= self.last and (key in self._known or not self._known):
            return
        self._known.append(key)
        self.last = max(self.last, event.time)
        self._heard(event)
