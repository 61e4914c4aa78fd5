"""The job as requests describe it, and the queue's spec made of it.

Types and bounds are checked here; the rules of a job are `JobSpec`'s own.
"""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from jobctl.master.settings import JobDefaults
from jobctl.queue import AfterPolicy, Backoff, JobSpec, new_id

_T = TypeVar("_T")

_DAY = 86400.0
_YEAR = 365 * _DAY
# The worker sets these itself; a job that could overwrite them would lie to its own code.
_RESERVED = frozenset(
    {
        "JOBCTL_JOB",
        "JOBCTL_ATTEMPT",
        "JOBCTL_OUTPUT",
        "JOBCTL_REPORT",
        "JOBCTL_CHECKPOINT",
        "JOBCTL_ARRAY_INDEX",
    }
)


SCHEMAS = "#/components/schemas/{model}"
"""Where the document of the HTTP API has the schema of a model."""


class Body(BaseModel):
    """What a request carries: no field that is not known, so that no wish is lost in a typo."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RetryIn(Body):
    """When a failed job is tried again; fields left out take the cluster's."""

    max_attempts: int | None = Field(
        default=None, ge=1, le=1000, description="failures until the job counts as failed"
    )
    backoff: float | None = Field(
        default=None, ge=0, le=_DAY, description="first pause, in seconds; doubled each time"
    )
    max_backoff: float | None = Field(
        default=None, ge=0, le=_DAY, description="longest pause, in seconds"
    )
    jitter: float | None = Field(default=None, ge=0, le=1, description="random part of each pause")
    on: dict[str, Any] | None = Field(
        default=None,
        description='rules by cause: "retry", "fail" or {"queue": NAME}; for exit also by code',
        examples=[{"oom": {"queue": "big"}, "exit": {"75": "retry", "64": "fail"}}],
    )


class ConcurrencyIn(Body):
    """Of all jobs with this key at most ``limit`` run at once."""

    key: str = Field(min_length=1, max_length=200)
    limit: int = Field(ge=1)


class SpecIn(Body):
    """A job to run: a command (``argv``) or a function. Fields left out take the defaults."""

    id: str | None = Field(
        default=None, description="a ULID minted by the client: submitting it twice makes one job"
    )
    argv: list[str] | None = Field(
        default=None, min_length=1, description="the command and its arguments; no shell"
    )
    function: str | None = Field(
        default=None, description="package.module:name", examples=["tasks:resize"]
    )
    args: dict[str, Any] | list[Any] | None = Field(
        default=None, description="the function's arguments: by keyword, or in order"
    )
    name: str = Field(default="", max_length=200)
    queue: str = "default"
    env: dict[str, str] = Field(default_factory=dict)
    stdin: str | None = Field(default=None, description="standard input, as text")
    stdin_base64: str | None = Field(
        default=None, description="standard input, as base64 of its bytes"
    )
    timeout: Annotated[float, Field(gt=0, le=_YEAR)] | None = Field(
        default=None, description="seconds one attempt may run; null: as long as it takes"
    )
    grace: float | None = Field(
        default=None, ge=0, le=_DAY, description="seconds between SIGTERM and SIGKILL"
    )
    priority: int = Field(default=0, ge=-100, le=100, description="higher goes first")
    delay: float = Field(default=0.0, ge=0, le=10 * _YEAR, description="seconds to wait first")
    at: int | str | None = Field(
        default=None, description="when: ISO-8601 (UTC if it names no zone), or ms since 1970"
    )
    key: str = Field(
        default="", max_length=200, description="with the key of an existing job, that one is meant"
    )
    concurrency: ConcurrencyIn | None = None
    after: list[str] = Field(
        default_factory=list, max_length=1000, description="jobs and arrays to wait for, by id"
    )
    after_policy: Literal["succeeded", "finished"] = Field(
        default="succeeded", description="what they must have done; else this job is cancelled"
    )
    array: str = Field(default="", description="the id of the array this job is part of")
    array_index: int | None = Field(default=None, ge=0)
    array_size: int | None = Field(default=None, ge=1)
    array_max_fails: int | None = Field(
        default=None, ge=0, description="more failed members cancel the rest of the array"
    )
    retry: RetryIn = RetryIn()

    @field_validator("env")
    @classmethod
    def _environment(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := _RESERVED.intersection(value):
            raise ValueError(f"{min(taken)} is set by the worker and cannot be given")
        return value

    @field_validator("at")
    @classmethod
    def _moment(cls, value: int | str | None) -> int | None:
        return _milliseconds(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.argv is None) == (self.function is None):
            raise ValueError("give argv (a command) or function, and not both")
        if self.args is not None and self.function is None:
            raise ValueError("args are a function's; a command's arguments belong in argv")
        if self.stdin is not None and self.stdin_base64 is not None:
            raise ValueError("give stdin or stdin_base64, not both")
        if self.delay and self.at is not None:
            raise ValueError("give delay or at, not both")
        return self

    def _stdin_bytes(self) -> bytes | None:
        if self.stdin is not None:
            return self.stdin.encode()
        if self.stdin_base64 is None:
            return None
        try:
            return base64.b64decode(self.stdin_base64, validate=True)
        except binascii.Error as error:
            raise ValueError(f"stdin_base64 is not base64: {error}.") from error

    def _args_text(self) -> str:
        if self.args is None:
            return ""
        try:
            return json.dumps(self.args, allow_nan=False, separators=(",", ":"))
        except ValueError as error:
            raise ValueError("args: NaN and Infinity are not JSON.") from error

    def to_spec(self, defaults: JobDefaults) -> JobSpec:
        """Fill in the defaults and mint an id if there is none.

        Raises ValueError with one sentence when the job breaks a rule.
        """
        retry, pause = self.retry, defaults.backoff
        # null is a wish ("no timeout"), not the same as saying nothing.
        timeout = self.timeout if "timeout" in self.model_fields_set else defaults.timeout
        max_attempts = _or(retry.max_attempts, defaults.max_attempts)
        # Who wants no second attempt does not want the cluster's rules about it either.
        usual = defaults.retry_on if max_attempts > 1 else {}
        return JobSpec(
            id=self.id or new_id(),
            argv=tuple(self.argv or ()),
            function=self.function or "",
            args=self._args_text(),
            name=self.name,
            queue=self.queue,
            env=self.env,
            stdin=self._stdin_bytes(),
            timeout=timeout,
            grace=_or(self.grace, defaults.grace),
            priority=self.priority,
            delay=self.delay,
            at=self.at,  # type: ignore[arg-type]  # text has become a number by now
            key=self.key,
            concurrency_key=self.concurrency.key if self.concurrency else "",
            concurrency_limit=self.concurrency.limit if self.concurrency else None,
            after=tuple(self.after),
            after_policy=AfterPolicy(self.after_policy),
            array=self.array,
            array_index=self.array_index,
            array_size=self.array_size,
            array_max_fails=self.array_max_fails,
            max_attempts=max_attempts,
            backoff=Backoff(
                base=_or(retry.backoff, pause.base),
                cap=_or(retry.max_backoff, pause.cap),
                jitter=_or(retry.jitter, pause.jitter),
            ),
            retry_on=_or(retry.on, usual),
        )


def _or(given: _T | None, default: _T) -> _T:
    return default if given is None else given


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an ISO-8601 time") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def documented() -> dict[str, Any]:
    """Return the schemas of a job and its parts, by name."""
    schema = SpecIn.model_json_schema(ref_template=SCHEMAS)
    return {**schema.pop("$defs"), SpecIn.__name__: schema}
