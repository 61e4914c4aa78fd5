"""Sending what `calls` builds, over a blocking connection."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import hiredis

from .. import calls
from ..call import Arg, Call, Command
from ..library import SCHEMA, function_name, source
from ..replies import FAILURES, library_is_missing, library_is_there, translate
from ..wire import Refused, Wire

T = TypeVar("T")


class Sender:
    """One project's prefix on one client."""

    def __init__(self, wire: Wire, project: str) -> None:
        self._wire = wire
        self._send: Callable[..., Any] = wire.call
        self._prefix = f"{{{project}}}:"

    def ensure_library(self, *, replace: bool = False) -> None:
        """Load the function library if it is missing; `replace` even if it is there."""
        # Loading needs memory: a full Redis would refuse even what it has already.
        if replace and self._read(calls.library(SCHEMA)) == source():
            return
        command = ("FUNCTION", "LOAD", *(("REPLACE",) if replace else ()), source())
        try:
            self._send(*command)
        except FAILURES as error:
            if not library_is_there(error):
                raise translate(error) from error

    def ping(self) -> None:
        """Ask whether Redis answers."""
        self._execute("PING")

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()

    def _stream(self, sent: Iterable[Call[T]]) -> Iterator[T]:
        """The answers of many calls in order, each made while the one before is carried out."""
        under_way: deque[Call[T]] = deque()

        def commands() -> Iterator[tuple[Arg, ...]]:
            for call in sent:
                under_way.append(call)
                yield self._command(call)

        try:
            for reply in self._wire.stream(commands()):
                call = under_way.popleft()
                if not isinstance(reply, hiredis.ReplyError):
                    yield call.decode(reply)
                elif library_is_missing(refused := Refused(str(reply))):
                    yield self._call(call)
                else:
                    raise refused
        except FAILURES as error:
            raise translate(error) from error

    def _command(self, call: Call[T]) -> tuple[Arg, ...]:
        return ("FCALL", function_name(call.function), 1, self._prefix, *call.args)

    def _call(self, call: Call[T]) -> T:
        command = self._command(call)
        try:
            reply = self._send(*command)
        except FAILURES as error:
            if not library_is_missing(error):
                raise translate(error) from error
            self.ensure_library()
            reply = self._execute(*command)
        return call.decode(reply)

    def _call_and_read(self, call: Call[Any], command: Command[T]) -> T:
        """Both in one go; what the command brought. Of the call it matters that it was made."""
        words = command.build(self._prefix)
        try:
            reply = self._wire.pair(self._command(call), words)
        except FAILURES as error:
            if not library_is_missing(error):
                raise translate(error) from error
            self._call(call)
            reply = self._execute(*words)
        return command.decode(reply)

    def _read(self, command: Command[T]) -> T:
        return command.decode(self._execute(*command.build(self._prefix)))

    def _execute(self, *command: str | float) -> Any:
        try:
            return self._send(*command)
        except FAILURES as error:
            raise translate(error) from error
