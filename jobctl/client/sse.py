"""Reading server-sent events off a stream of bytes."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ServerEvent:
    """One event; a heartbeat has no name."""

    name: str
    id: str
    data: Any


HEARTBEAT = ServerEvent("", "", None)


class Parser:
    """Takes a stream piece by piece; an event that was cut off never comes out."""

    def __init__(self) -> None:
        self._rest = b""
        self._clear()

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """Return the events that became whole with this piece."""
        # Only b"\n" ends a line here: str.splitlines would also cut at U+2028 inside the data.
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [event for line in lines if (event := self._line(line)) is not None]

    def _clear(self) -> None:
        self._name = self._id = ""
        self._data: list[bytes] = []

    def _line(self, line: bytes) -> ServerEvent | None:
        if line.startswith(b":"):
            return HEARTBEAT
        if not line:
            whole = self._name or self._data
            event = ServerEvent(self._name, self._id, self._value()) if whole else None
            self._clear()
            return event
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"event":
                self._name = value.decode()
            case b"id":
                self._id = value.decode()
            case b"data":
                self._data.append(value)
        return None

    def _value(self) -> Any:
        return json.loads(b"\n".join(self._data))


def parse(pieces: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Yield every event that arrived whole; one that was cut off is not yielded at all."""
    parser = Parser()
    for piece in pieces:
        yield from parser.feed(piece)
