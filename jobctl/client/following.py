"""Following a job's log across broken connections, without losing or repeating a byte."""

from __future__ import annotations

from typing import Any

from jobctl.client.errors import ClientError, Unavailable, Unreachable
from jobctl.client.request import Params
from jobctl.client.script import Emit, Link, Open, Read, Script
from jobctl.client.sse import Parser

SILENCE = 30.0
"""Seconds without even a heartbeat (there is one every 10 s) after which a stream is dead."""

_NAMES = frozenset({"log", "status", "end"})


def stream_ended(link: Link) -> Unreachable:
    """Return the error for a stream that stopped before its end, e.g. with its master."""
    return Unreachable(f"The master at {link.url} ended the stream.", "jobctl ps")


def resuming(position: str) -> dict[str, str]:
    """Return the headers that ask for what comes after an event."""
    return {"Last-Event-ID": position} if position else {}


def follow(link: Link, path: str, start: Params) -> Script[None]:
    """Emit ``log``, ``status`` and at last ``end`` events of the job whose log is at ``path``.

    The position moves on only with an event that arrived whole, and a new connection asks for
    what comes after it. Raises what the first request raises, and Unreachable when the master
    stays away for the link's patience.
    """
    position = ""
    told: Any = None
    patience = link.reconnecting()
    while True:
        broken: ClientError = stream_ended(link)
        try:
            yield Open(path, {**start, "follow": 1}, resuming(position), SILENCE)
            parser = Parser()
            while (piece := (yield Read())) is not None:
                for event in parser.feed(piece):
                    patience.renew()
                    position = event.id or position
                    # The first status of a new connection is usually no news.
                    repeated = event.name == "status" and event.data == told
                    if repeated or event.name not in _NAMES:
                        continue
                    yield Emit({"event": event.name, **event.data})
                    if event.name == "end":
                        return
                    told = event.data if event.name == "status" else told
        except (Unreachable, Unavailable) as error:
            broken = error
        yield patience.after(broken)
