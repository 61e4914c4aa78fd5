"""Every failure as one JSON body: ``{"error": {"code", "message", "hint"}}``."""

import re
from collections.abc import Mapping
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from jobctl.queue import (
    DamagedBackup,
    Full,
    InvalidSpec,
    QueueClosed,
    QueueError,
    RateLimited,
    Unavailable,
    UnknownJob,
    UnknownWorker,
    WrongStatus,
)


class ErrorDetail(TypedDict):
    """What went wrong: a stable code, one sentence, and the next command to try."""

    code: str
    message: str
    hint: str


class ErrorBody(TypedDict):
    """The body of every answer that is not a success."""

    error: ErrorDetail


class ApiError(HTTPException):
    """A failure with its HTTP status; ``extra`` adds fields to the error object.

    An HTTPException, because FastAPI lets nothing else through from the reading of a body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.code = code
        self.message = message
        self.hint = hint
        self.extra = dict(extra or {})


def answer(error: ApiError) -> JSONResponse:
    """Render an error."""
    detail = {"code": error.code, "message": error.message, "hint": error.hint, **error.extra}
    return JSONResponse({"error": detail}, error.status_code, headers=error.headers)


def from_queue(error: QueueError) -> ApiError:
    """Translate a failure of the queue."""
    status, code = 500, "queue-error"
    headers: dict[str, str] = {}
    extra: dict[str, Any] = {}
    match error:
        case InvalidSpec():
            status, code = 422, "invalid"
        case DamagedBackup():
            status, code = 422, "damaged-backup"
        case UnknownJob():
            status, code = 404, "unknown-job"
        case UnknownWorker():
            status, code = 404, "unknown-worker"
        case WrongStatus():
            status, code = 409, "wrong-status"
        case QueueClosed():
            status, code = 409, "queue-closed"
        case RateLimited(retry_after=wait):
            status, code = 429, "rate-limited"
            # Whole seconds is all that this header can say.
            headers["Retry-After"] = str(max(1, ceil(wait)))
            extra["retry_after"] = wait
        case Full():
            status, code = 507, "full"
        case Unavailable():
            status, code = 503, "unavailable"
            headers["Retry-After"] = "1"
    return ApiError(status, code, str(error), error.hint, headers=headers, extra=extra)


def too_large(longest: int) -> ApiError:
    """Return the refusal of a body or line that is over its cap."""
    message = f"A job as JSON may be at most {longest} bytes."
    return ApiError(413, "too-large", message, "put large input on a mounted folder")


def unknown_attempt(job_id: str, had: int, wanted: int) -> ApiError:
    """Return the refusal of an attempt that the job has not had."""
    attempts = "1 attempt" if had == 1 else f"{had} attempts"
    message = f"Job {job_id} has had {attempts}; there is no attempt {wanted}."
    return ApiError(404, "unknown-attempt", message, f"jobctl job {job_id}")


def from_problems(problems: list[Any], where: str = "") -> ApiError:
    """Make one sentence of pydantic's list of problems."""
    told = []
    for problem in problems[:3]:
        # FastAPI puts "body", "query" or "path" in front of the field.
        path = [str(p) for p in problem["loc"] if p not in ("body", "query", "path")]
        message = _plainly(problem["type"], problem["msg"])
        told.append(f"{'.'.join(path)}: {message}" if path else message)
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    prefix = f"{where}: " if where else ""
    asked = any(problem["loc"][:1] in (("query",), ("path",)) for problem in problems)
    hint = "see /openapi.json" if asked else "jobctl submit --help"
    return ApiError(422, "invalid", f"{prefix}{'; '.join(told)}{more}.", hint)


def _plainly(kind: str, message: str) -> str:
    """Say in words of ours what pydantic says in its own."""
    if kind == "extra_forbidden":
        return "there is no such field"
    message = message.removeprefix("Value error, ").replace(" after validation", "")
    return re.sub(r"^(Input|List|Dictionary|String) should ", "must ", message)


def install(app: FastAPI) -> None:
    """Make the app answer every failure in the one form."""

    @app.exception_handler(ApiError)
    async def _api(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)
        return answer(error)

    @app.exception_handler(QueueError)
    async def _queue(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, QueueError)
        return answer(from_queue(error))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return answer(from_problems(list(error.errors())))

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "http")
        return answer(ApiError(error.status_code, code, f"{error.detail}."))

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        # The traceback goes to the master's own log (the server re-raises), never to a client.
        message = "The master failed on this request; its log says more."
        return answer(ApiError(500, "internal", message, "jobctl logs master"))
