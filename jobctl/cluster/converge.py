"""Looking again when something else changed the cluster between the look and the act."""

import time
from collections.abc import Callable
from typing import TypeVar

from jobctl.cluster.events import Event, OnEvent
from jobctl.engine.errors import Conflict, NotFound

T = TypeVar("T")

_ROUNDS = 8
_PAUSE = 0.2


def converge(command: str, attempt: Callable[[], T], on_event: OnEvent) -> tuple[T, int]:
    """Observe, plan and apply (``attempt``) until nothing gets in between.

    Return its result and the number of rounds. What still conflicts after a few is raised.
    """
    for count in range(1, _ROUNDS):
        try:
            return attempt(), count
        except (Conflict, NotFound) as error:
            text = f"something else changed the cluster, looking again ({error})"
            on_event(Event("info", command, text))
            time.sleep(_PAUSE * count)
    return attempt(), _ROUNDS
