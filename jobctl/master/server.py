"""Serving the app with uvicorn."""

import socket

import uvicorn
from fastapi import FastAPI

from jobctl.master.settings import Settings

# Streams end by themselves when the feed closes; this is for a client that does not read.
_SHUTDOWN_GRACE = 2


class Server(uvicorn.Server):
    """A uvicorn that ends the endless streams first, or it would wait for them."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the feed, then every connection."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.service.feed.close()
        await super().shutdown(sockets)


def make_server(app: FastAPI, settings: Settings) -> Server:
    """Return a server for the app, not yet listening."""
    return Server(
        uvicorn.Config(
            app,
            host=settings.listen_host,
            port=settings.listen_port,
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_SHUTDOWN_GRACE,
        )
    )
