"""The queue for asyncio: what `client.py` has, method by method, awaited."""

from __future__ import annotations

from .awaited.control import Control
from .awaited.controlling import Controlling
from .awaited.producers import Producers
from .awaited.reading import Reading
from .awaited.workers import Workers


class AsyncQueue(Producers, Workers, Control, Controlling, Reading):
    """One project's queue inside one event loop. Every method is that of `Queue`."""
