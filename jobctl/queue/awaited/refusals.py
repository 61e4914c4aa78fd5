"""What redis.asyncio raises, as `wire` would have raised it: the twin has one set of errors."""

from __future__ import annotations

from redis import exceptions as theirs

from ..wire import Refused

THEIR_FAILURES = (theirs.RedisError, OSError)
"""What a call over redis.asyncio can raise."""

# Redis' replies that redis-py has a class for come without their code.
_CODES = (
    (theirs.BusyLoadingError, "LOADING"),
    (theirs.AuthenticationError, "WRONGPASS"),
    (theirs.NoPermissionError, "NOPERM"),
    (theirs.ReadOnlyError, "READONLY"),
    (theirs.OutOfMemoryError, "OOM"),
)


def plain(error: Exception) -> Exception:
    """The same failure as a `Refused` or an OSError."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return Refused(f"{code} {error}")
    if isinstance(error, theirs.ResponseError):
        return Refused(str(error))
    return error if isinstance(error, OSError) else ConnectionError(_said(error))


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
