"""A cap on request bodies, so that no request can take the master's memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobctl.master.errors import too_large

STREAMED_PATHS = frozenset({"/jobs:batch", "/restore"})
"""Read piece by piece, with a cap on each line instead."""


class BodyCap:
    """ASGI middleware: a body over ``longest`` bytes is answered with 413."""

    def __init__(self, app: ASGIApp, longest: int) -> None:
        self._app = app
        self._longest = longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body counted."""
        if scope["type"] != "http" or scope["path"] in STREAMED_PATHS:
            await self._app(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._longest:
                raise too_large(self._longest)
            return message

        await self._app(scope, counted, send)
