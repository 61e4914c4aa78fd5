"""`python3 -m jobctl.control`: the main process of the controller's container."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from jobctl.control.controller import Controller
from jobctl.control.place import InCluster
from jobctl.engine import open_engine

_ALIVE = Path("/tmp/alive")  # noqa: S108 - the container's own tmpfs

_printing = threading.Lock()


def say(event: str, **facts: object) -> None:
    """Print one line of JSON: what happened, and what there is to know of it."""
    known = {name: fact for name, fact in facts.items() if fact not in (None, "")}
    with _printing:
        sys.stdout.write(
            json.dumps({"at": time.time(), "event": event, **known}, default=str) + "\n"
        )
        sys.stdout.flush()


def main() -> int:
    """Run the controller of this container until a signal ends it."""
    project = os.environ.get("JOBCTL_PROJECT", "")
    if not project:
        sys.stderr.write("JOBCTL_PROJECT is not set. Try: jobctl up\n")
        return 1
    controller = Controller(open_engine(), InCluster(project), say, alive=_ALIVE.touch)

    def stop(_number: int, _frame: FrameType | None) -> None:
        controller.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    say("began", project=project)
    controller.run()
    say("ended")
    return 0


if __name__ == "__main__":
    sys.exit(main())
