"""Count what really reaches the engine: a proxy in front of its socket.

Point DOCKER_HOST at ``url``. Every connection is forwarded byte for byte in both directions; only
the client's side is parsed, to find where one request ends and the next one begins.
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakSet

_MUTATING = frozenset({"POST", "PUT", "DELETE"})
# A POST that changes nothing.
_WAIT = re.compile(r"/containers/[^/]+/wait$")
_CHUNK = 65536


@dataclass(frozen=True)
class Request:
    """One request: method and path without the API version and without the query."""

    method: str
    path: str


@dataclass
class EngineProxy:
    """A running proxy and what it has seen."""

    url: str
    _seen: list[Request] = field(default_factory=list)
    _open: "WeakSet[socket.socket]" = field(default_factory=WeakSet)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def mutations(self) -> list[Request]:
        """All requests so far that may change something, in the order they came."""
        with self._lock:
            return [r for r in self._seen if r.method in _MUTATING and not _WAIT.search(r.path)]

    @property
    def requests(self) -> list[Request]:
        """All requests so far."""
        with self._lock:
            return list(self._seen)

    def clear(self) -> None:
        """Forget what was seen."""
        with self._lock:
            self._seen.clear()

    def cut(self) -> None:
        """Drop every open connection, the way a stop of the engine does."""
        with self._lock:
            cut = list(self._open)
        for connection in cut:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def opened(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open.update(ends)

    def note(self, method: str, target: str) -> None:
        path = re.sub(r"^/v[\d.]+(?=/)", "", target.partition("?")[0])
        with self._lock:
            self._seen.append(Request(method, path))


@contextmanager
def engine_proxy(folder: Path, engine: str = "/var/run/docker.sock") -> Iterator[EngineProxy]:
    """Serve a proxy on a socket in ``folder`` (a short path: 107 bytes are the limit)."""
    path = folder / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        proxy = EngineProxy(f"unix://{path}")
        server = threading.Thread(target=_accept, args=(listener, engine, proxy), daemon=True)
        server.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join()
            path.unlink()


def _accept(listener: socket.socket, engine: str, proxy: EngineProxy) -> None:
    with suppress(OSError):
        while True:
            client, _address = listener.accept()
            _forward_both_ways(client, engine, proxy)


def _forward_both_ways(client: socket.socket, engine: str, proxy: EngineProxy) -> None:
    upstream = socket.socket(socket.AF_UNIX)
    try:
        upstream.connect(engine)
    except OSError:
        client.close()  # what a client sees of an engine that is down
        return
    proxy.opened(client, upstream)
    for source, target, pump in (
        (client, upstream, lambda s, t: _requests(s, t, proxy.note)),
        (upstream, client, _bytes),
    ):
        threading.Thread(target=_pump, args=(source, target, pump), daemon=True).start()


def _pump(
    source: socket.socket,
    target: socket.socket,
    pump: Callable[[socket.socket, socket.socket], None],
) -> None:
    """Forward until the source ends, then tell the target: each direction ends by itself."""
    with suppress(OSError):
        pump(source, target)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _bytes(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(_CHUNK):
        target.sendall(data)


def _requests(
    client: socket.socket, upstream: socket.socket, note: Callable[[str, str], None]
) -> None:
    """Forward requests one by one; after an upgrade the rest is not HTTP any more.

    jobctl never asks for one (the Docker command does, for exec): a refused upgrade is not told
    apart from a granted one, and what follows it on the same connection is not counted.
    """
    reader = client.makefile("rb")
    while head := _head(reader.readline):
        lines = head.decode("latin-1").split("\r\n")
        method, target, _version = lines[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        note(method, target)
        upstream.sendall(head)
        if "upgrade" in headers:
            while data := reader.read1(_CHUNK):
                upstream.sendall(data)
        elif headers.get("transfer-encoding") == "chunked":
            _forward_chunks(reader.readline, reader.read, upstream)
        else:
            _forward(reader.read, upstream, int(headers.get("content-length", "0")))


def _head(readline: Callable[[], bytes]) -> bytes:
    """Read up to the empty line; empty at the end of the connection."""
    lines = []
    while line := readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _forward(read: Callable[[int], bytes], upstream: socket.socket, length: int) -> None:
    while length and (data := read(min(length, _CHUNK))):
        upstream.sendall(data)
        length -= len(data)


def _forward_chunks(
    readline: Callable[[], bytes], read: Callable[[int], bytes], upstream: socket.socket
) -> None:
    while size_line := readline():
        upstream.sendall(size_line)
        size = int(size_line.partition(b";")[0], 16)
        _forward(read, upstream, size + 2)  # the chunk (or no trailers) and its line end
        if size == 0:
            return
