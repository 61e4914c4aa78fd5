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

    def subscribe(self, labels: Mapping[str, str]) -> MemoryEventStream:
        """Open a stream of events."""
        with self.changed:
            stream = MemoryEventStream(self.changed, labels, self._forget)
            self._streams.append(stream)
            return stream

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
            for stream in self._streams:
                stream.offer(event)

    def _forget(self, stream: MemoryEventStream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
