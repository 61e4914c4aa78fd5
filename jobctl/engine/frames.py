"""The engine's stream format: stdout and stderr as frames on one connection."""

import struct
from collections.abc import Callable, Iterator

_HEADER = struct.Struct(">BxxxL")  # stream (1 stdout, 2 stderr), three zero bytes, length


def payloads(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the frames' contents in the order they came, whichever stream they belong to.

    ``read(n)`` returns n bytes, fewer only at the end. A stream that ends inside a frame yields
    what came of it: a dropped connection is an end like any other.
    """
    while len(header := read(_HEADER.size)) == _HEADER.size:
        _stream, length = _HEADER.unpack(header)
        if data := read(length):
            yield data
