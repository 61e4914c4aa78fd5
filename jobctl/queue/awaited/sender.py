"""Sending what `calls` builds, over asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .. import calls
from ..call import Call, Command
from ..library import SCHEMA, function_name, source
from ..replies import FAILURES, library_is_missing, library_is_there, translate
from .wire import AsyncWire

T = TypeVar("T")


class Sender:
    """One project's prefix on one client."""

    def __init__(self, wire: AsyncWire, project: str) -> None:
        self._wire = wire
        self._send: Callable[..., Awaitable[Any]] = wire.call
        self._prefix = f"{{{project}}}:"

    async def ensure_library(self, *, replace: bool = False) -> None:
        """See `Queue.ensure_library`."""
        # Loading needs memory: a full Redis would refuse even what it has already.
        if replace and await self._read(calls.library(SCHEMA)) == source():
            return
        command = ("FUNCTION", "LOAD", *(("REPLACE",) if replace else ()), source())
        try:
            await self._send(*command)
        except FAILURES as error:
            if not library_is_there(error):
                raise translate(error) from error

    async def ping(self) -> None:
        """See `Queue.ping`."""
        await self._execute("PING")

    async def close(self) -> None:
        """See `Queue.close`."""
        self._wire.close()

    async def _call(self, call: Call[T]) -> T:
        command = ("FCALL", function_name(call.function), 1, self._prefix, *call.args)
        try:
            reply = await self._send(*command)
        except FAILURES as error:
            if not library_is_missing(error):
                raise translate(error) from error
            await self.ensure_library()
            reply = await self._execute(*command)
        return call.decode(reply)

    async def _read(self, command: Command[T]) -> T:
        return command.decode(await self._execute(*command.build(self._prefix)))

    async def _execute(self, *command: str | float) -> Any:
        try:
            return await self._send(*command)
        except FAILURES as error:
            raise translate(error) from error
