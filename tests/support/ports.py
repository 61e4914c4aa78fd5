"""Ports of 127.0.0.1 for tests."""

import random
import socket

# Below those that the kernel gives to connections: between the look and the use, or while what
# listens there is started anew, no connection can come to have it.
_FROM, _TO = 16_000, 30_000


def free_port() -> int:
    """Return a port that nobody listens on now."""
    while True:
        port = random.randrange(_FROM, _TO)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
