"""Redis clients as the queue needs them.

No command is ever sent twice by the client library: a call that got no reply may have
been carried out, and only the caller knows what to do then. The socket timeout is longer
than the longest blocking wait, so a timeout means a Redis that does not answer.
"""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from .aclient import AsyncQueue
from .call import MAX_BLOCK
from .client import Queue

SOCKET_TIMEOUT = MAX_BLOCK + 5.0
"""Seconds without an answer after which a connection counts as dead."""


def connect(
    host: str,
    port: int = 6379,
    username: str | None = None,
    password: str | None = None,
    project: str = "jobctl",
    **options: Any,
) -> Queue:
    """A queue over plain sockets; nothing is sent before the first call.

    `options` go to `redis.Redis` as they are (for instance `unix_socket_path`).
    """
    retry = Retry(NoBackoff(), 0)
    settings = {**_settings(host, port, username, password), "retry": retry, **options}
    return Queue(redis.Redis(**settings), project)


def connect_async(
    host: str,
    port: int = 6379,
    username: str | None = None,
    password: str | None = None,
    project: str = "jobctl",
    **options: Any,
) -> AsyncQueue:
    """The same over asyncio; use it in one event loop only."""
    retry = AsyncRetry(NoBackoff(), 0)
    settings = {**_settings(host, port, username, password), "retry": retry, **options}
    return AsyncQueue(redis.asyncio.Redis(**settings), project)


def _settings(host: str, port: int, username: str | None, password: str | None) -> dict[str, Any]:
    return {
        "host": host,
        "port": port,
        "username": username,
        "password": password,
        "decode_responses": True,
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": 5.0,
        "socket_keepalive": True,
    }
