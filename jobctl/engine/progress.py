"""The engine's progress streams (build, pull, import): JSON messages in, lines and results out."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

_KEPT_LINES = 30


class Transcript:
    """What a stream has said so far: its last lines, the image it made, the error that ended it."""

    def __init__(self, on_line: Callable[[str], None] = lambda _line: None) -> None:
        self._on_line = on_line
        self._partial = ""
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.image_id = ""
        self.error = ""

    @property
    def log(self) -> str:
        """The last lines, without the error itself."""
        return "\n".join(self._lines)

    def follow(self, messages: Iterable[dict[str, Any]]) -> "Transcript":
        """Read the stream to its end; a failure is kept in ``error``, not raised."""
        for message in messages:
            self._take(message)
        self._say("\n")
        return self

    def _take(self, message: dict[str, Any]) -> None:
        if "stream" in message:
            self._say(message["stream"])
        elif "errorDetail" in message or "error" in message:
            detail = message.get("errorDetail") or {}
            self.error = str(detail.get("message") or message.get("error", "")).strip()
        elif "aux" in message:
            self.image_id = message["aux"].get("ID", self.image_id)
        elif "status" in message and not message.get("progressDetail"):
            layer = message.get("id", "")
            self._say(f"{layer}: {message['status']}\n" if layer else f"{message['status']}\n")

    def _say(self, text: str) -> None:
        """Pass whole lines on: the engine cuts its output anywhere."""
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            if kept := line.rstrip():
                self._lines.append(kept)
                self._on_line(kept)
