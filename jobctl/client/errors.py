"""What a client of the master can run into.

ClientError          `str(error)` is one sentence, `hint` the next command to try ("" if none)
  Unreachable        no master answers at the address
  Unauthorized       the token is not this cluster's
  Unavailable        the master answers, but Redis does not, or the master was just being stopped
  Full               Redis is at its memory limit
  RateLimited        too many submits; `retry_after` seconds from now there is room
  QueueClosed        the queue is being drained: it takes no jobs
  Invalid            the request breaks a rule (`details["line"]`: which job of many)
  NotFound           no such attempt, artifact or worker
    UnknownJob       no such job
  WrongStatus        the job's status does not allow it
  NotFinished        `wait` ran out of time; `pending` are the ids not ended by then
  JobFailed          the job whose result was asked for has none: `job`, `cause`, `reason`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

    from jobctl.client.types import Job


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
    """No master answers at the address; ``sent`` is False if it surely got no request."""

    sent = True


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


class RateLimited(ClientError):
    """The queue, or this client, submits faster than it may."""

    @property
    def retry_after(self) -> float:
        """Seconds until there is room again."""
        return float(self.details.get("retry_after") or 1.0)


class QueueClosed(WrongStatus):
    """The queue is being drained and takes no jobs."""


class JobFailed(ClientError):
    """The job ended without a result: it failed, or was cancelled."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cause = job["cause"] or ""
        self.reason = job["reason"]
        number = {"exit": job["exit_code"], "signal": job["signal"]}.get(self.cause)
        cause = self.cause if number is None else f"{self.cause} {number}"
        why = ": ".join(filter(None, (cause if self.cause != job["status"] else "", self.reason)))
        did = "was cancelled" if job["status"] == "cancelled" else job["status"]
        message = f"Job {job['id']} {did}" + (f" ({why})." if why else ".")
        # What was cancelled need not have begun, and then it has no log.
        told_by = "explain" if job["status"] == "cancelled" else "logs"
        super().__init__(message, f"jobctl {told_by} {job['id']}", "job-failed")


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
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    507: Full,
}

_BY_CODE: dict[str, type[ClientError]] = {"unknown-job": UnknownJob, "queue-closed": QueueClosed}


def from_answer(status: int, body: Any) -> ClientError:
    """Make the error of an answer that is not a success; ``body`` is its JSON or None."""
    given = body.get("error") if isinstance(body, dict) else None
    detail: dict[str, Any] = given if isinstance(given, dict) else {}
    # Without a word of the master's: it was stopped while it worked on it, or never got it.
    cut_short = status >= 500 and "code" not in detail
    code = str(detail.pop("code", f"http-{status}"))
    message = str(detail.pop("message", f"The master answered with HTTP status {status}."))
    hint = str(detail.pop("hint", "jobctl logs master"))
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, Unavailable if cut_short else ClientError)
    return kind(message, hint, code, detail)


def refusal(answer: httpx.Response) -> ClientError:
    """Make the error of an answer that is not a success."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    error = from_answer(answer.status_code, body)
    after = answer.headers.get("Retry-After", "")
    if after.replace(".", "", 1).isdigit():
        error.details.setdefault("retry_after", float(after))
    return error
