"""Connections to Redis as the queue needs them.

No command is ever sent twice by the client: a call that got no reply may have been carried
out, and only the caller knows what to do then. The socket timeout is longer than the longest
blocking wait, so a timeout means a Redis that does not answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .call import MAX_BLOCK
from .client import Queue
from .wire import Wire

if TYPE_CHECKING:
    from .aclient import AsyncQueue

SOCKET_TIMEOUT = MAX_BLOCK + 5.0
"""Seconds without an answer after which a connection counts as dead."""

_CONNECT_TIMEOUT = 5.0


def connect(
    host: str,
    port: int = 6379,
    username: str | None = None,
    password: str | None = None,
    project: str = "jobctl",
    *,
    unix_socket_path: str | None = None,
    socket_timeout: float = SOCKET_TIMEOUT,
    connect_timeout: float = _CONNECT_TIMEOUT,
) -> Queue:
    """A queue over plain sockets; nothing is sent before the first call."""
    wire = Wire(
        unix_socket_path or (host, port),
        username=username,
        password=password,
        timeout=socket_timeout,
        connect_timeout=connect_timeout,
    )
    return Queue(wire, project)


def connect_async(
    host: str,
    port: int = 6379,
    username: str | None = None,
    password: str | None = None,
    project: str = "jobctl",
    *,
    unix_socket_path: str | None = None,
    socket_timeout: float = SOCKET_TIMEOUT,
) -> AsyncQueue:
    """The same over asyncio; use it in one event loop only."""
    # A blocking caller, a worker above all, has no use for asyncio.
    from .aclient import AsyncQueue  # noqa: PLC0415
    from .awaited.wire import AsyncWire  # noqa: PLC0415

    wire = AsyncWire(
        unix_socket_path or (host, port),
        username=username,
        password=password,
        timeout=socket_timeout,
        connect_timeout=_CONNECT_TIMEOUT,
    )
    return AsyncQueue(wire, project)
