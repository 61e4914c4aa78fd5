"""A controller as the work of a process: until a signal ends it; what it does as JSON lines."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from jobctl.control.controller import Controller
from jobctl.control.place import Place
from jobctl.engine.protocol import Engine

_printing = threading.Lock()


def say(event: str, **facts: object) -> None:
    """Print one line of JSON: what happened, and what there is to know of it."""
    known = {name: fact for name, fact in facts.items() if fact not in (None, "")}
    line = json.dumps({"at": time.time(), "event": event, **known}, default=str)
    with _printing:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def serve(
    engine: Engine,
    place: Place,
    alive: Callable[[], None] = lambda: None,
    leave_after: float = float("inf"),
) -> None:
    """Run a controller in the main thread until SIGTERM, SIGINT or its own end."""
    controller = Controller(engine, place, say, alive=alive, leave_after=leave_after)

    def stop(_number: int, _frame: FrameType | None) -> None:
        controller.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    say("began", project=place.project)
    controller.run()
    say("ended")
