"""Connections to Redis over asyncio: what `..wire` is to threads, with the same errors.

A call takes a connection for itself until its reply is there. The client library's own took a
fifth of the master's start to load, and `jobctl up` waits for that.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Sequence
from typing import Any, cast

import hiredis

from ..wire import Refused

_INCOMPLETE = object()


class AsyncWire:
    """Connections to one Redis, made when needed, for one event loop.

    `address` is a host and port, or the path of a unix socket; times are in seconds. Raises
    `Refused`, or OSError when there is no connection or no answer within `timeout`: whether
    the command was carried out is unknown then.
    """

    def __init__(
        self,
        address: tuple[str, int] | str,
        *,
        username: str | None = None,
        password: str | None = None,
        timeout: float,
        connect_timeout: float = 5.0,
    ) -> None:
        self.timeout = timeout
        self._address = address
        self._login = ("AUTH", *([username] if username else []), password) if password else None
        self._connect_timeout = connect_timeout
        self._resting: list[_Line] = []

    async def call(self, *words: str | bytes | float) -> Any:
        """Sends one command and returns its reply, texts decoded."""
        line = self._rested() or await self._connect()
        try:
            async with asyncio.timeout(self.timeout):
                reply = await line.call(words)
        except BaseException as error:
            # Half a reply may come yet. And if Redis is gone, so are the others.
            line.close()
            if isinstance(error, OSError):
                self.close()
            raise
        self._resting.append(line)
        if isinstance(reply, hiredis.ReplyError):
            raise Refused(str(reply))
        return reply

    def close(self) -> None:
        """Closes the connections that nobody uses now."""
        while self._resting:
            self._resting.pop().close()

    def _rested(self) -> _Line | None:
        while self._resting:
            line = self._resting.pop()
            # Redis may have gone, and come back, since it was used.
            if line.sound():
                return line
            line.close()
        return None

    async def _connect(self) -> _Line:
        async with asyncio.timeout(self._connect_timeout):
            line = await _connected(self._address)
            if self._login is None:
                return line
            try:
                reply = await line.call(self._login)
            except BaseException:
                line.close()
                raise
        if isinstance(reply, hiredis.ReplyError):
            line.close()
            raise Refused(str(reply))
        return line


async def _connected(address: tuple[str, int] | str) -> _Line:
    loop = asyncio.get_running_loop()
    if isinstance(address, str):
        _, line = await loop.create_unix_connection(_Line, address)
        return line
    _, line = await loop.create_connection(_Line, *address)
    line.keep_alive()
    return line


class _Line(asyncio.Protocol):
    """One connection; used by one call at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader(encoding="utf-8", errors="replace", notEnoughData=_INCOMPLETE)
        self._waiting: asyncio.Future[Any] | None = None
        self._failure: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            reply = self._reader.gets()
        except hiredis.ProtocolError as error:
            self._fail(ConnectionError(f"what answers is no Redis ({error})"))
            return
        if reply is _INCOMPLETE:
            return
        if self._waiting is None or self._waiting.done():
            self._fail(ConnectionError("Redis answered what nobody asked"))
        else:
            self._waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(
            exc if isinstance(exc, OSError) else ConnectionError("Redis closed the connection")
        )

    async def call(self, words: Sequence[Any]) -> Any:
        if self._failure is not None:
            raise self._failure
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            self._transport.write(hiredis.pack_command(tuple(words)))
            return await self._waiting
        finally:
            self._waiting = None

    def sound(self) -> bool:
        """Whether the other end still holds the connection, and said nothing unasked."""
        if self._failure is not None or self._transport is None or self._transport.is_closing():
            return False
        # The loop may not have looked yet.
        look = select.poll()
        look.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not look.poll(0)

    def keep_alive(self) -> None:
        if self._transport is not None:
            mine = self._transport.get_extra_info("socket")
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self.close()
