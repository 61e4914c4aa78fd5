"""A TCP proxy that breaks connections where a test says."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class CuttingProxy:
    """Forwards connections to a port of 127.0.0.1, with a cap on the bytes of each answer.

    ``cuts`` gives the cap of the first connections in turn: after that many bytes of answer the
    connection is reset. Later ones are left alone.
    """

    def __init__(self, port: int, cuts: list[int]) -> None:
        self._target = port
        self._cuts = list(cuts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            cut = self._cuts.pop(0) if self._cuts else None
            far = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=_pump, args=(near, far, None), daemon=True).start()
            threading.Thread(target=_pump, args=(far, near, cut), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, cut: int | None) -> None:
    passed = 0
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            if cut is not None and passed + len(data) >= cut:
                sink.sendall(data[: cut - passed])
                break
            sink.sendall(data)
            passed += len(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
