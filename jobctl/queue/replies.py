"""From redis-py's exceptions and Redis' error replies to the queue's own errors."""

from __future__ import annotations

from collections.abc import Callable

from redis import exceptions as redis_errors

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

# Replies of a Redis that may well serve the same call a moment later. Those that
# redis-py has a class for come without their code; these keep it as the first word.
_PASSING = ("BUSY", "MISCONF", "UNBLOCKED", "MASTERDOWN", "NOREPLICAS", "TRYAGAIN", "CLUSTERDOWN")

_UNAVAILABLE = (
    redis_errors.ConnectionError,  # LOADING too: BusyLoadingError is one of these
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,
    OSError,
)

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
    "NEWERSCHEMA": lambda found: NewerSchema(found, SCHEMA),
}

REDIS_ERRORS = (redis_errors.RedisError, OSError)
"""What a call can raise that `translate` knows."""


def library_is_missing(error: BaseException) -> bool:
    """Whether Redis does not know the function (a new or emptied server)."""
    return isinstance(error, redis_errors.ResponseError) and "Function not found" in str(error)


def library_is_there(error: BaseException) -> bool:
    """Whether loading was refused because somebody loaded the library before."""
    return isinstance(error, redis_errors.ResponseError) and "already exists" in str(error)


def translate(error: Exception) -> QueueError:
    """The queue's error for one of redis-py's (or the socket's)."""
    said = (str(error) or type(error).__name__).rstrip(".")
    code, _, rest = said.partition(" ")
    if isinstance(error, (redis_errors.AuthenticationError, redis_errors.NoPermissionError)):
        return Denied(f"Redis refused access: {said}.")
    if isinstance(error, redis_errors.OutOfMemoryError):
        return Full("Redis has reached its memory limit and takes no more jobs.")
    if isinstance(error, _UNAVAILABLE) or code in _PASSING:
        return Unavailable(f"Redis cannot serve now: {said}.")
    if code in _OWN:
        return _OWN[code](*rest.split())
    return QueueError(f"Redis refused the call: {said}.")
