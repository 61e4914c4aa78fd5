"""The queue for blocking code. See `aclient.py` for its twin, `calls` for the calls."""

from __future__ import annotations

from .blocking.control import Control
from .blocking.controlling import Controlling
from .blocking.producers import Producers
from .blocking.reading import Reading
from .blocking.workers import Workers


class Queue(Producers, Workers, Control, Controlling, Reading):
    """One project's queue; safe to share between threads.

    Every method may raise `Unavailable` and `Denied`; it may then be called again with
    the same arguments, whether or not Redis carried it out the first time.
    """
