"""A real HTTP server on this machine that ends when it is told to, not at its next look."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


class PromptServer(HTTPServer):
    """Serves from `start` to `stop`, one connection after the other."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), handler)
        self._stopped = False
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Be gone: whoever connects is refused. A second time it does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self.socket.shutdown(socket.SHUT_RDWR)  # ends the wait for the next one
        self._thread.join()
        self.server_close()

    def _serve(self) -> None:
        while not self._stopped:
            self.handle_request()
