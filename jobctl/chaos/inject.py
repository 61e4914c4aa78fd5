"""Making faults, and undoing them: each is written down before it is made."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from jobctl.chaos.fault import Allowed, Fault, Instant, LiveFault
from jobctl.engine.protocol import Engine

_WITHIN = Allowed()


def inject(
    engine: Engine,
    project: str,
    fault: Fault,
    *,
    rng: random.Random,
    allowed: Allowed = _WITHIN,
    clock: Callable[[], float] = time.time,
) -> LiveFault | Instant:
    """Make a fault and return it; one that lasts is the caller's to `undo` at its deadline.

    Whoever does not is helped out by the controller, and by `heal`. Raises ClusterError (what it
    cannot be done to, what exceeds ``allowed``) and EngineError; then nothing is left of it.
    """
    raise NotImplementedError


def undo(engine: Engine, project: str, live: LiveFault) -> None:
    """Undo a fault, however much of it was made; again, or by two at once, is no error.

    Raises EngineError when it could not be undone: its record stays.
    """
    raise NotImplementedError


def live_faults(engine: Engine, project: str) -> tuple[LiveFault, ...]:
    """Return what is recorded as alive, oldest first; () where nothing gives access to it."""
    raise NotImplementedError


def heal(engine: Engine, project: str) -> tuple[str, ...]:
    """Undo all that is alive, and return the ids; raises the first error after trying all."""
    raise NotImplementedError


def dry_run(
    engine: Engine,
    project: str,
    fault: Fault,
    *,
    allowed: Allowed = _WITHIN,
) -> str:
    """Say in one sentence what `inject` would do; raises what it would."""
    raise NotImplementedError
