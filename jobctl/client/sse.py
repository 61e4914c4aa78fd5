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


def parse(pieces: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Yield every event that arrived whole; one that was cut off is not yielded at all."""
    # Only b"\n" ends a line here: str.splitlines would also cut at U+2028 inside the data.
    name = event_id = ""
    data: list[bytes] = []
    for line in _lines(pieces):
        if not line:
            if name or data:
                yield ServerEvent(name, event_id, json.loads(b"\n".join(data)))
            name, event_id, data = "", "", []
        elif line.startswith(b":"):
            yield HEARTBEAT
        else:
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            match field:
                case b"event":
                    name = value.decode()
                case b"id":
                    event_id = value.decode()
                case b"data":
                    data.append(value)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
