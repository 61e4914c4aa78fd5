"""Blocking connections to Redis, with as little as can be between a call and its reply.

A worker makes a few thousand calls a second in half a processor and holds its memory for
years: the client library's own layers cost three times the round trip, and its import half
of an idle worker's memory. Here are a socket, the parser in C, and nothing that ever sends a
command twice.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import hiredis

_CHUNK = 1 << 16
_INCOMPLETE = object()

# Commands that may be without a reply in a stream.
_AHEAD = 2


class Refused(Exception):
    """Redis' error reply: its code, then words."""


class Wire:
    """Connections to one Redis, made when needed. Safe to share between threads.

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

    def call(self, *words: str | bytes | float) -> Any:
        """Sends one command and returns its reply, texts decoded."""
        line = self._take()
        try:
            reply = line.call(words)
        except BaseException as error:
            # Half a reply may be left on it. And if Redis is gone, so are the others.
            line.close()
            if isinstance(error, OSError):
                self.close()
            raise
        self._resting.append(line)
        if isinstance(reply, hiredis.ReplyError):
            raise Refused(str(reply))
        return reply

    def pair(
        self, first: Sequence[str | bytes | float], second: Sequence[str | bytes | float]
    ) -> Any:
        """Sends two commands in one go and returns the second's reply.

        If the first is refused, the second may still be carried out; nobody hears of it.
        """
        line = self._take()
        try:
            line.send(first, second)
            if isinstance(refused := line.receive(), hiredis.ReplyError):
                raise Refused(str(refused))
            reply = line.receive()
        except BaseException:
            line.close()
            raise
        self._resting.append(line)
        if isinstance(reply, hiredis.ReplyError):
            raise Refused(str(reply))
        return reply

    def stream(self, commands: Iterable[Sequence[str | bytes | float]]) -> Iterator[Any]:
        """Sends commands one ahead of their replies: Redis works on one, the next is made.

        Yields each reply as it is: of a refused command it is a `hiredis.ReplyError`.
        """
        line = self._take()
        owed = 0
        try:
            for words in commands:
                line.send(words)
                owed += 1
                if owed == _AHEAD:
                    yield line.receive()
                    owed -= 1
            while owed:
                yield line.receive()
                owed -= 1
        except BaseException:
            line.close()  # replies are owed, or half read
            raise
        self._resting.append(line)

    def close(self) -> None:
        """Closes the connections that nobody uses now."""
        while self._resting:
            self._resting.pop().close()

    def _take(self) -> _Line:
        while True:
            try:
                line = self._resting.pop()
            except IndexError:
                return self._connect()
            # Redis may have gone, and come back, since it was used.
            if line.sound():
                return line
            line.close()

    def _connect(self) -> _Line:
        line = _Line(self._address, self._connect_timeout, self.timeout)
        if self._login is not None:
            try:
                reply = line.call(self._login)
            except BaseException:
                line.close()
                raise
            if isinstance(reply, hiredis.ReplyError):
                line.close()
                raise Refused(str(reply))
        return line


class _Line:
    """One connection; used by one thread at a time."""

    def __init__(
        self, address: tuple[str, int] | str, connect_timeout: float, timeout: float
    ) -> None:
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(connect_timeout)
            self._socket.connect(address)
        else:
            self._socket = socket.create_connection(address, connect_timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # The kernel keeps the time: a timeout of Python's costs a call of poll each time.
        self._socket.settimeout(None)
        limit = struct.pack("ll", int(timeout), int(timeout % 1 * 1_000_000))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, limit)
        self._reader = hiredis.Reader(encoding="utf-8", errors="replace", notEnoughData=_INCOMPLETE)
        self._chunk = bytearray(_CHUNK)
        self._news = select.poll()
        self._news.register(self._socket, select.POLLIN)

    def call(self, words: tuple[Any, ...]) -> Any:
        self._send(hiredis.pack_command(words))
        return self.receive()

    def send(self, *commands: Sequence[Any]) -> None:
        self._send(b"".join([hiredis.pack_command(tuple(c)) for c in commands]))

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except BlockingIOError:
            raise TimeoutError("Redis did not take the command in time") from None

    def receive(self) -> Any:
        try:
            while (reply := self._reader.gets()) is _INCOMPLETE:
                count = self._socket.recv_into(self._chunk)
                if not count:
                    raise ConnectionError("Redis closed the connection")
                self._reader.feed(self._chunk, 0, count)  # type: ignore[arg-type]
        except BlockingIOError:
            raise TimeoutError("Redis did not answer in time") from None
        except hiredis.ProtocolError as error:
            raise ConnectionError(f"what answers is no Redis ({error})") from None
        return reply

    def sound(self) -> bool:
        """Whether the other end still holds the connection, and owes no reply."""
        return not self._news.poll(0)

    def close(self) -> None:
        self._socket.close()
