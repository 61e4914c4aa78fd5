"""A real HTTP receiver of webhooks on this machine, which answers as a test says."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Any

from tests.support.prompt_server import PromptServer

Answer = tuple[int, dict[str, str]]


@dataclass(frozen=True)
class Delivery:
    """One request as it came in."""

    path: str
    headers: Message
    body: bytes


class _SideBySide(ThreadingMixIn, PromptServer):
    """An answer that takes long holds up no other."""

    daemon_threads = True


class WebhookReceiver:
    """Serves from ``with`` on; ``answer`` is asked for status and headers, 204 without one."""

    def __init__(
        self,
        answer: Callable[[Delivery], Answer] = lambda _got: (204, {}),
        host: str = "127.0.0.1",
    ) -> None:
        self._got: list[Delivery] = []
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                delivery = Delivery(self.path, self.headers, body)
                status, headers = answer(delivery)
                receiver.note(delivery)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                return

        self._server = _SideBySide(Handler, host)
        self.url = f"http://{host}:{self._server.server_address[1]}/hooks/secret-part?team=a"

    def __enter__(self) -> "WebhookReceiver":
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Be gone: whoever connects is refused."""
        self._server.stop()

    def note(self, delivery: Delivery) -> None:
        with self._changed:
            self._got.append(delivery)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Delivery]:
        """Return all that came in, once it is so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._got) >= count, 30.0), self._got
            return list(self._got)
