"""A line to Redis that a test cuts: before a call reaches Redis, or before its reply returns."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Literal

Cut = Literal["request", "reply"]


class CutLine:
    """Listens on a unix socket and forwards to another one.

    After `cut`, the next bytes of that kind are dropped and their connection is closed; for
    "reply" that is after Redis has executed the call.
    """

    def __init__(self, target: str) -> None:
        self.socket = str(Path(target).with_suffix(f".{id(self)}"))
        self._target = target
        self._cut: Cut | None = None
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.socket)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> CutLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self, what: Cut) -> None:
        """Drop the next request or reply."""
        with self._lock:
            self._cut = what

    @property
    def happened(self) -> bool:
        """Whether the last cut that was asked for has been made."""
        with self._lock:
            return self._cut is None

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            for source, sink, what in ((near, far, "request"), (far, near, "reply")):
                threading.Thread(target=self._pump, args=(source, sink, what), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, what: Cut) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                with self._lock:
                    due = self._cut == what
                    if due:
                        self._cut = None
                if due:
                    break
                sink.sendall(data)
        for end in (source, sink):
            # Wakes the other direction's thread too, which close alone would not.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
