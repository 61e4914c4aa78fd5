"""The wire form of server-sent events (the HTML standard, section 9.2)."""

import json
from typing import Any

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b":\n\n"
"""A comment: followers ignore it, but a dead connection shows when it is written."""


def event(name: str, data: Any, event_id: str = "") -> bytes:
    """Return one event; JSON never holds a raw line break, so one data line is enough."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"id: {event_id}\n" if event_id else ""
    # A lone surrogate cannot be UTF-8; it is shown as "?" rather than breaking the stream.
    return f"{head}event: {name}\ndata: {body}\n\n".encode("utf-8", "replace")
