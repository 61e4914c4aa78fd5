"""Settling on an API with the engine: by what its ping says, or by its version."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from jobctl.engine.adapter import DockerEngine
from jobctl.engine.docker import Docker
from jobctl.engine.endpoint import Endpoint
from jobctl.engine.errors import EngineError


@contextmanager
def engine(pong: dict[str, str], status: int = 200) -> Iterator[tuple[Endpoint, list[str]]]:
    """Run an engine that answers pings with these headers; yield it and what it is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            ping = self.path == "/_ping"
            body = b"OK" if ping else json.dumps({"ApiVersion": "1.30"}).encode()
            self.send_response(status if ping else 200)
            for name, text in pong.items() if ping else ():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Endpoint(f"tcp://127.0.0.1:{server.server_address[1]}", "test"), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("newest", "spoken"), [("1.41", "1.41"), ("1.99", "1.45")])
def test_one_ping_settles_the_api(newest: str, spoken: str) -> None:
    with engine({"Api-Version": newest}) as (endpoint, asked):
        opened = Docker.open(endpoint)
    assert opened.api.api_version == spoken
    assert asked == ["/_ping"]


def test_where_the_ping_does_not_say_the_version_does() -> None:
    with engine({}) as (endpoint, asked):
        assert Docker.open(endpoint).api.api_version == "1.30"
    assert asked == ["/_ping", "/version"]


def test_a_refusal_is_told() -> None:
    with engine({}, status=500) as (endpoint, _), pytest.raises(EngineError, match="connect"):
        DockerEngine.open(endpoint)
