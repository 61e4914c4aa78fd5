"""The events of the in-memory engine: told to all who subscribed, unless a test drops them."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from jobctl.engine.model import EngineEvent


class MemoryEventStream:
    """One subscription; it ends by ``close``, from either side."""

    def __init__(
        self,
        changed: threading.Condition,
        labels: Mapping[str, str],
        leave: "Callable[[MemoryEventStream], None]",
    ) -> None:
        self._changed = changed
        self._labels = dict(labels)
        self._leave = leave
        self._waiting: deque[EngineEvent] = deque()
        self._closed = False

    def offer(self, event: EngineEvent) -> None:
        """Take an event of something that carries the labels."""
        if self._labels.items() <= event.labels.items():
            self._waiting.append(event)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[EngineEvent]:
        return self

    def __next__(self) -> EngineEvent:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                raise StopIteration
            return self._waiting.popleft()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._leave(self)
            self._changed.notify_all()


class Telling:
    """The part of a world that tells of events; a test may drop them, or cut all connections."""

    changed: threading.Condition
    now: Callable[[], float]

    def __init__(self) -> None:
        self.drops_events = False
        self._streams: list[MemoryEventStream] = []
        self._told: deque[EngineEvent] = deque(maxlen=256)

    def subscribe(self, labels: Mapping[str, str]) -> MemoryEventStream:
        """Open a stream of events."""
        with self.changed:
            stream = MemoryEventStream(self.changed, labels, self._forget)
            self._streams.append(stream)
            return stream

    def told(self, labels: Mapping[str, str], since: float) -> list[EngineEvent]:
        """Return what is remembered of what was told, or would have been."""
        with self.changed:
            mine = (e for e in self._told if labels.items() <= e.labels.items())
            return [event for event in mine if event.time >= since]

    @property
    def subscriptions(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def cut_events(self) -> None:
        """Drop every open connection that events come through."""
        with self.changed:
            for stream in list(self._streams):
                stream.close()

    def tell(self, event: EngineEvent) -> None:
        """Tell everybody who has subscribed."""
        if not self.drops_events:
            self._told.append(event)
            for stream in self._streams:
                stream.offer(event)

    def _forget(self, stream: MemoryEventStream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
