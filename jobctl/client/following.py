"""Following a job's log across broken connections, without losing or repeating a byte."""

from collections.abc import Iterator
from typing import Any, cast

from jobctl.client.errors import ClientError, Unavailable, Unreachable
from jobctl.client.sse import parse
from jobctl.client.transport import Params, Transport
from jobctl.client.types import FollowEvent

SILENCE = 30.0
"""Seconds without even a heartbeat (there is one every 10 s) after which a stream is dead."""

_NAMES = frozenset({"log", "status", "end"})


def stream_ended(transport: Transport) -> Unreachable:
    """Return the error for a stream that stopped before its end, e.g. with its master."""
    return Unreachable(f"The master at {transport.url} ended the stream.", "jobctl ps")


def follow(transport: Transport, path: str, start: Params) -> Iterator[FollowEvent]:
    """Yield ``log``, ``status`` and at last ``end`` events of the job whose log is at ``path``.

    The position moves on only with an event that arrived whole, and a new connection asks for
    what comes after it. Raises what the first request raises, and Unreachable when the master
    stays away for the transport's patience.
    """
    position = ""
    told: Any = None
    patience = transport.reconnecting()
    while True:
        broken: ClientError = stream_ended(transport)
        try:
            with transport.stream(
                path,
                params={**start, "follow": 1},
                headers={"Last-Event-ID": position} if position else None,
                silence=SILENCE,
            ) as answer:
                for event in parse(answer.iter_raw()):
                    patience.renew()
                    position = event.id or position
                    # The first status of a new connection is usually no news.
                    repeated = event.name == "status" and event.data == told
                    if repeated or event.name not in _NAMES:
                        continue
                    yield cast("FollowEvent", {"event": event.name, **event.data})
                    if event.name == "end":
                        return
                    told = event.data if event.name == "status" else told
        except (Unreachable, Unavailable) as error:
            broken = error
        patience.pause(broken)
