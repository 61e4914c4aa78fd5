"""The other end of a connection, which says what a test wants it to."""

import socket
import threading
from pathlib import Path


class Peer:
    """A server that counts what arrives, answers what the test says, then hangs up."""

    def __init__(self, path: Path, *answers: bytes | None) -> None:
        self.received: list[bytes] = []
        self.path = str(path)
        self._answers = answers
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self.over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for answer in self._answers:
            connection, _ = self._listener.accept()
            with connection:
                self.received.append(connection.recv(1000))
                if answer is None:
                    self.over.wait(20)
                else:
                    connection.sendall(answer)
