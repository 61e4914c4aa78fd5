"""Open the engine that the user's environment names."""

import os
from pathlib import Path

from jobctl.engine.endpoint import resolve
from jobctl.engine.protocol import Engine


def open_engine() -> Engine:
    """Connect to the engine of DOCKER_HOST, the current Docker context or the default socket.

    Raises EngineUnreachable or EngineDenied, naming the endpoint and where it came from.
    """
    # The SDK takes a tenth of a second to import: only commands that use the engine pay for it.
    from jobctl.engine.adapter import DockerEngine  # noqa: PLC0415

    return DockerEngine.open(resolve(os.environ, Path.home()))
