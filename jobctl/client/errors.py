"""What a client of the master can run into.

ClientError          `str(error)` is one sentence, `hint` the next command to try ("" if none)
  Unreachable        no master answers at the address
  Unauthorized       the token is not this cluster's
  Unavailable        the master answers, but Redis does not
  Full               Redis is at its memory limit
  Invalid            the request breaks a rule (`details["line"]`: which job of many)
  NotFound           no such attempt, artifact or worker
    UnknownJob       no such job
  WrongStatus        the job's status does not allow it
  NotFinished        `wait` ran out of time; `pending` are the ids not ended by then
"""

from collections.abc import Iterable, Mapping
from typing import Any


class ClientError(Exception):
    """Base of everything the client raises on purpose; ``code`` is stable, for programs."""

    def __init__(
        self,
        message: str,
        hint: str = "",
        code: str = "error",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code
        self.details = dict(details or {})


class Unreachable(ClientError):
    """No master answers at the address."""


class Unauthorized(ClientError):
    """The master refused the token."""


class Unavailable(ClientError):
    """The master cannot serve just now; trying again may help."""


class Full(ClientError):
    """Redis has reached its memory limit."""


class Invalid(ClientError):
    """The request breaks a rule."""


class NotFound(ClientError):
    """What was asked for does not exist."""


class UnknownJob(NotFound):
    """No job has this id."""


class WrongStatus(ClientError):
    """The job's status does not allow what was asked."""


class NotFinished(ClientError):
    """Time ran out before all jobs had ended."""

    def __init__(self, pending: Iterable[str]) -> None:
        self.pending = sorted(pending)
        number = len(self.pending)
        what = f"Job {self.pending[0]} has" if number == 1 else f"{number} jobs have"
        super().__init__(f"{what} not ended in time.", "jobctl jobs", "not-finished")


_BY_STATUS: dict[int, type[ClientError]] = {
    401: Unauthorized,
    404: NotFound,
    409: WrongStatus,
    413: Invalid,
    422: Invalid,
    502: Unavailable,
    503: Unavailable,
    507: Full,
}


def from_answer(status: int, body: Any) -> ClientError:
    """Make the error of an answer that is not a success; ``body`` is its JSON or None."""
    given = body.get("error") if isinstance(body, dict) else None
    detail: dict[str, Any] = given if isinstance(given, dict) else {}
    code = str(detail.pop("code", f"http-{status}"))
    message = str(detail.pop("message", f"The master answered with HTTP status {status}."))
    hint = str(detail.pop("hint", "jobctl logs master"))
    kind = UnknownJob if code == "unknown-job" else _BY_STATUS.get(status, ClientError)
    return kind(message, hint, code, detail)
