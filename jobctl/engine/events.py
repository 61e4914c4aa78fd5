"""The events of the Engine protocol over Docker: a connection that stays open."""

import json
import threading
from collections.abc import Iterator, Mapping

from jobctl.engine import telemetry, translate
from jobctl.engine.docker import Docker, Stream, by_label
from jobctl.engine.model import EngineEvent

_ROUNDED = 0.00001


class DockerEventStream:
    """An open subscription; the connection is its own and is given back at the end."""

    def __init__(self, docker: Docker, stream: Stream) -> None:
        self._docker = docker
        self._stream = stream
        self._lines = stream.lines()
        self._reading = threading.Lock()
        self._closed = False

    def __iter__(self) -> Iterator[EngineEvent]:
        return self

    def __next__(self) -> EngineEvent:
        with self._reading:
            try:
                if not self._closed:
                    return telemetry.event(next(self._lines))
            except (StopIteration, ValueError):  # a line was cut off with the connection
                self._closed = True
            self._give_back()
            raise StopIteration

    def close(self) -> None:
        """End the iteration, also one that waits in another thread; again is no error."""
        self._closed = True
        self._stream.hang_up()
        # Whoever reads finds the end of the connection, and gives it back himself.
        if self._reading.acquire(blocking=False):
            try:
                self._give_back()
            finally:
                self._reading.release()

    def _give_back(self) -> None:
        self._lines.close()
        self._docker.api.close()


class DockerEvents:
    """The subscription to events."""

    _docker: Docker

    def events(self, labels: Mapping[str, str]) -> DockerEventStream:
        """Subscribe on a connection of its own; what happens after the return is not missed."""
        docker = self._docker.clone()
        with docker.doing("subscribe to the engine's events"):
            # The engine answers before it subscribes us: it is to repeat what happened between.
            since = translate.timestamp(docker.api.info()["SystemTime"])
            wanted = json.dumps({**telemetry.EVENTS, **by_label(labels)})
            params = {"filters": wanted, "since": f"{since:.6f}"}
            stream = Stream(docker.stream("GET", "/events", params=params))
        return DockerEventStream(docker, stream)

    def recent_events(self, labels: Mapping[str, str], since: float) -> list[EngineEvent]:
        """Ask for what the engine remembers: an answer that ends."""
        docker = self._docker
        with docker.doing("ask for the engine's events"):
            # Without an end, or with one that is yet to come, the engine would wait for more.
            now = translate.timestamp(docker.api.info()["SystemTime"])
            if since >= now:
                return []  # which the engine would refuse to be asked
            wanted = json.dumps({**telemetry.EVENTS, **by_label(labels)})
            # A little earlier, lest the rounding leaves out what happened just then.
            start = since - _ROUNDED
            params = {"filters": wanted, "since": f"{start:.6f}", "until": f"{now:.6f}"}
            stream = Stream(docker.stream("GET", "/events", params=params))
            found = [telemetry.event(line) for line in stream.lines() if line]
        return [event for event in found if event.time >= since]
