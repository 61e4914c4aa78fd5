"""From broken connections and Redis' error replies to the queue's own errors."""

from __future__ import annotations

from collections.abc import Callable

from .errors import (
    Denied,
    Full,
    InvalidSpec,
    NewerSchema,
    QueueClosed,
    QueueError,
    RateLimited,
    Superseded,
    Unavailable,
    UnknownJob,
    UnknownWorker,
    WrongStatus,
)
from .library import SCHEMA
from .wire import Refused

# Replies of a Redis that may well serve the same call a moment later.
_PASSING = (
    "LOADING",
    "READONLY",
    "BUSY",
    "MISCONF",
    "UNBLOCKED",
    "MASTERDOWN",
    "NOREPLICAS",
    "TRYAGAIN",
    "CLUSTERDOWN",
)
_DENIED = ("NOAUTH", "WRONGPASS", "NOPERM")

# Errors that the library itself returns: a code and its words.
_OWN: dict[str, Callable[..., QueueError]] = {
    "UNKNOWNJOB": UnknownJob,
    "WRONGSTATUS": WrongStatus,
    "UNKNOWNWORKER": UnknownWorker,
    "SUPERSEDED": Superseded,
    "RATELIMITED": lambda wait_ms: RateLimited(int(wait_ms) / 1000),
    "QUEUECLOSED": QueueClosed,
    "CYCLE": lambda job_id, array: InvalidSpec(
        f"Job {job_id} cannot be submitted: others wait for its array {array} already, "
        "so it may not wait for anything itself."
    ),
    # Of a passing kind: the master is on its way, or still of the older version.
    "OLDERSCHEMA": lambda found: Unavailable(
        f"The queue's data still has schema {found}; the master has not taken it over yet."
    ),
    "NEWERSCHEMA": lambda found: NewerSchema(found, SCHEMA),
}

_TWO_WORDS = ("WRONGSTATUS", "CYCLE")

FAILURES = (Refused, OSError)
"""What a call can raise that `translate` knows."""


def library_is_missing(error: Exception) -> bool:
    """Whether Redis does not know the function (a new or emptied server)."""
    return isinstance(error, Refused) and "Function not found" in str(error)


def library_is_there(error: Exception) -> bool:
    """Whether loading was refused because somebody loaded the library before."""
    return isinstance(error, Refused) and "already exists" in str(error)


def translate(error: Exception) -> QueueError:
    """The queue's error for a refusal, or for a connection that is not there."""
    said = (str(error) or type(error).__name__).rstrip(".")
    if not isinstance(error, Refused):
        return Unavailable(f"Redis cannot serve now: {said}.")
    code, _, rest = said.partition(" ")
    if code in _DENIED or "invalid username-password" in said:
        return Denied(f"Redis refused access: {said.removeprefix(f'{code} ')}.")
    if code == "OOM":
        return Full("Redis has reached its memory limit and takes no more jobs.")
    if code in _PASSING:
        return Unavailable(f"Redis cannot serve now: {said}.")
    if code in _OWN:
        # What a caller names may hold anything; a job's status and the like may not.
        return _OWN[code](*(rest.rsplit(" ", 1) if code in _TWO_WORDS else (rest,)))
    return QueueError(f"Redis refused the call: {said.removeprefix('ERR ')}.")
