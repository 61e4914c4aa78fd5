"""Playing scripts for asyncio: what `transport` does, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, TypeVar

from jobctl.client.errors import refusal
from jobctl.client.http import Http
from jobctl.client.script import Emit, Link, Open, Pause, Play, Read, Script, Send, Step

T = TypeVar("T")


class AsyncTransport:
    """An HTTP connection pool to one master, for one event loop."""

    def __init__(self, link: Link, token: str, name: str) -> None:
        import httpx  # noqa: PLC0415 - as in `transport`

        self._http = Http(link, httpx)
        self._client = httpx.AsyncClient(**self._http.options(token, name))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def run(self, script: Script[T]) -> T:
        """Play a script to its end and return its result."""
        play = Play(script)
        async with aclosing(self._play(play)) as steps:
            async for _ in steps:
                pass
        return play.value

    async def iterate(self, script: Script[None]) -> AsyncIterator[Any]:
        """Play a script and yield what it emits."""
        async with aclosing(self._play(Play(script))) as items:
            async for item in items:
                yield item

    async def _play(self, play: Play[Any]) -> Any:
        stream = _Stream()
        try:
            for step in play:
                if isinstance(step, Emit):
                    yield step.item
                    continue
                with self._http.failures(play):
                    play.tell(await self._do(step, stream))
        finally:
            await stream.close()
            play.close()

    async def _do(self, step: Step, stream: _Stream) -> Any:
        match step:
            case Send(request):
                arguments = self._http.arguments(request)
                if callable(request.content):
                    arguments["content"] = _pieces(request.content)
                return await self._client.request(**arguments)
            case Open():
                await stream.open(self._opened(step))
            case Read():
                return await anext(stream.pieces, None)
            case Pause(seconds):
                await asyncio.sleep(seconds)
        return None

    @asynccontextmanager
    async def _opened(self, step: Open) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._client.stream(**self._http.stream_arguments(step)) as answer:
            if not answer.is_success:
                await answer.aread()
                raise refusal(answer)
            self._http.link.met = True
            yield answer.aiter_raw()


async def _pieces(make: Callable[[], Iterable[bytes]]) -> AsyncIterator[bytes]:
    for piece in make():
        yield piece


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


class _Stream:
    """The answer that a script reads piece by piece; one at a time."""

    def __init__(self) -> None:
        self._exits = AsyncExitStack()
        self.pieces: AsyncIterator[bytes] = _nothing()

    async def open(self, opened: Any) -> None:
        await self.close()
        self.pieces = await self._exits.enter_async_context(opened)

    async def close(self) -> None:
        await self._exits.aclose()
