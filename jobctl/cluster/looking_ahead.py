"""The first look at a cluster, taken while its file is still being read.

Both take a tenth of a second: the engine its time to answer, and this process its own to load what
checks the file.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from jobctl.cluster.errors import ClusterError
from jobctl.cluster.observed import Observed, observe
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine

_FRESH = 1.0
"""Seconds for which a look is as good as a new one. Whatever changes after any look shows when the
plan is carried out, and is looked at again then; what takes longer, a build say, asks for a new one
right away."""

Ahead = Callable[[], Observed | None]


def look_ahead(engine: Engine, project: str) -> Ahead:
    """Begin to look; return what waits for the snapshot.

    That gives None when the look failed (to look again tells why), or is not of now any more.
    """
    found: Future[Observed | None] = Future()
    client = engine.clone()
    began = time.monotonic()

    def look() -> None:
        seen = None
        try:
            with suppress(ClusterError, EngineError):
                seen = observe(client, project)
        finally:
            client.close()
            found.set_result(seen)

    def taken() -> Observed | None:
        seen = found.result()
        return seen if time.monotonic() < began + _FRESH else None

    threading.Thread(target=look, name="look-ahead", daemon=True).start()
    return taken
