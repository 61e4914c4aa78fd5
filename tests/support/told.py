"""Read events up to what a test waits for; what never comes is a failure, not a hang."""

import threading

from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import EventStream

_WITHIN = 60.0  # s


def until(stream: EventStream, *last: str) -> list[EngineEvent]:
    """Read on until all of these actions have happened, and return everything up to there."""
    seen: list[EngineEvent] = []
    give_up = threading.Timer(_WITHIN, stream.close)
    give_up.start()
    try:
        for event in stream:
            seen.append(event)
            if set(last) <= {event.action for event in seen}:
                return seen
    finally:
        give_up.cancel()
    raise AssertionError(f"the stream ended without {last}: {seen}")
