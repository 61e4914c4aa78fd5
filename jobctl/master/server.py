"""Serving the app with uvicorn."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI

from jobctl.master.app import create_app
from jobctl.master.settings import Settings
from jobctl.queue import connect_async

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


def serve(settings: Settings) -> None:
    """Run a master until SIGTERM."""
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    queue = connect_async(
        settings.redis_host,
        settings.redis_port,
        settings.redis_user,
        settings.redis_password,
        settings.project,
    )
    try:
        await make_server(create_app(settings, queue), settings).serve()
    finally:
        await queue.close()
