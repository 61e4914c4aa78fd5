"""Playing scripts, blocking: HTTP requests and pauses, and no decision at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from jobctl.client.errors import refusal
from jobctl.client.http import Http
from jobctl.client.script import Emit, Link, Open, Pause, Play, Read, Script, Send, Step

T = TypeVar("T")


class Transport:
    """An HTTP connection pool to one master. Safe to use from several threads."""

    def __init__(self, link: Link, token: str, name: str) -> None:
        # Imported here: `jobctl --help` should not pay for it.
        import httpx  # noqa: PLC0415

        self._http = Http(link, httpx)
        self._client = httpx.Client(**self._http.options(token, name))

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def run(self, script: Script[T]) -> T:
        """Play a script to its end and return its result."""
        play = Play(script)
        for _ in self._play(play):
            pass
        return play.value

    def iterate(self, script: Script[None]) -> Iterator[Any]:
        """Play a script and yield what it emits."""
        yield from self._play(Play(script))

    def _play(self, play: Play[Any]) -> Iterator[Any]:
        stream = _Stream()
        try:
            for step in play:
                if isinstance(step, Emit):
                    yield step.item
                    continue
                with self._http.failures(play):
                    play.tell(self._do(step, stream))
        finally:
            stream.close()
            play.close()

    def _do(self, step: Step, stream: _Stream) -> Any:
        match step:
            case Send(request):
                return self._client.request(**self._http.arguments(request))
            case Open():
                stream.open(self._opened(step))
            case Read():
                return next(stream.pieces, None)
            case Pause(seconds):
                time.sleep(seconds)
        return None

    @contextmanager
    def _opened(self, step: Open) -> Iterator[Iterator[bytes]]:
        with self._client.stream(**self._http.stream_arguments(step)) as answer:
            if not answer.is_success:
                answer.read()
                raise refusal(answer)
            self._http.link.met = True
            yield answer.iter_raw()


class _Stream:
    """The answer that a script reads piece by piece; one at a time."""

    def __init__(self) -> None:
        self._exits = ExitStack()
        self.pieces: Iterator[bytes] = iter(())

    def open(self, opened: Any) -> None:
        self.close()
        self.pieces = self._exits.enter_context(opened)

    def close(self) -> None:
        self._exits.close()
