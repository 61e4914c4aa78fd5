"""`python3 -m jobctl.control`: the main process of the controller's container."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jobctl.control.place import InCluster
from jobctl.control.serving import serve
from jobctl.engine import open_engine

_ALIVE = Path("/tmp/alive")  # noqa: S108 - the container's own tmpfs


def main() -> int:
    """Run the controller of this container."""
    project = os.environ.get("JOBCTL_PROJECT", "")
    if not project:
        sys.stderr.write("JOBCTL_PROJECT is not set. Try: jobctl up\n")
        return 1
    serve(open_engine(), InCluster(project), _ALIVE.touch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
