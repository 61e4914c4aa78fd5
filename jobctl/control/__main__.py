"""`python3 -m jobctl.control`: the main process of the controller's container."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from jobctl.control.place import InCluster
from jobctl.control.serving import say, serve
from jobctl.engine import open_engine
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine

_ALIVE = Path("/tmp/alive")  # noqa: S108 - the container's own tmpfs

_LEAVE_AFTER = 15.0
"""Seconds without the engine after which this process ends, to be started again by its restart
policy. An engine that was restarted has another socket in the place of the one that is mounted
here, and only a new start mounts that."""

_AGAIN = 1.0


def main() -> int:
    """Run the controller of this container."""
    project = os.environ.get("JOBCTL_PROJECT", "")
    if not project:
        sys.stderr.write("JOBCTL_PROJECT is not set. Try: jobctl up\n")
        return 1
    engine = _reached()
    if engine is None:
        return 1
    serve(engine, InCluster(project), _ALIVE.touch, _LEAVE_AFTER)
    return 0


def _reached() -> Engine | None:
    """Open the engine; None when it does not answer for long."""
    deadline, said = time.monotonic() + _LEAVE_AFTER, ""
    while time.monotonic() < deadline:
        try:
            return open_engine()
        except EngineError as error:
            if str(error) != said:
                said = str(error)
                say("not-seen", reason=said, hint=error.hint)
            time.sleep(_AGAIN)
    return None


if __name__ == "__main__":
    sys.exit(main())
