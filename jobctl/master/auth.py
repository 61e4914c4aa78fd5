"""The bearer check in front of every path but the two that health checks and `up` ask."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from jobctl.master.errors import ApiError, answer

OPEN_PATHS = frozenset({"/livez", "/readyz"})


class BearerAuth:
    """ASGI middleware: answers 401 unless the request carries the cluster's token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS or self._allows(scope):
            await self._app(scope, receive, send)
            return
        refusal = ApiError(
            401,
            "unauthorized",
            "The request does not carry this cluster's token.",
            "jobctl ps",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await answer(refusal)(scope, receive, send)

    def _allows(self, scope: Scope) -> bool:
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        # Compared as bytes in constant time: how long it takes tells nothing about the token.
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode("latin-1", "replace"), self._token
        )
