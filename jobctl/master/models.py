"""What requests may carry: job specs, lists of ids, drain orders.

Types and bounds are checked here; the rules of a job are `JobSpec`'s own.
"""

import base64
import binascii
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from jobctl.master.settings import JobDefaults
from jobctl.queue import Backoff, JobSpec, new_id

_T = TypeVar("_T")

_DAY = 86400.0
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


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BackoffIn(_Body):
    """Pause before the next attempt of a failed job; fields left out take the cluster's."""

    base: float | None = Field(default=None, ge=0, le=_DAY, description="first pause, in seconds")
    cap: float | None = Field(default=None, ge=0, le=_DAY, description="longest pause, in seconds")
    jitter: float | None = Field(default=None, ge=0, le=1, description="random part of each pause")


class SpecIn(_Body):
    """A job to run. Fields left out take the cluster's defaults."""

    id: str | None = Field(
        default=None, description="a ULID minted by the client: submitting it twice makes one job"
    )
    argv: list[str] = Field(min_length=1, description="the command and its arguments; no shell")
    name: str = Field(default="", max_length=200)
    queue: str = "default"
    env: dict[str, str] = Field(default_factory=dict)
    stdin: str | None = Field(default=None, description="standard input, as text")
    stdin_base64: str | None = Field(
        default=None, description="standard input, as base64 of its bytes"
    )
    timeout: Annotated[float, Field(gt=0, le=365 * _DAY)] | None = Field(
        default=None, description="seconds one attempt may run; null: as long as it takes"
    )
    grace: float | None = Field(
        default=None, ge=0, le=_DAY, description="seconds between SIGTERM and SIGKILL"
    )
    max_attempts: int | None = Field(default=None, ge=1, le=1000)
    backoff: BackoffIn = BackoffIn()
    array: str = Field(default="", max_length=200, description="the array this job is part of")
    array_index: int | None = Field(default=None, ge=0)

    @field_validator("env")
    @classmethod
    def _environment(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := _RESERVED.intersection(value):
            raise ValueError(f"{min(taken)} is set by the worker and cannot be given")
        return value

    @model_validator(mode="after")
    def _one_stdin(self) -> Self:
        if self.stdin is not None and self.stdin_base64 is not None:
            raise ValueError("give stdin or stdin_base64, not both")
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

    def to_spec(self, defaults: JobDefaults) -> JobSpec:
        """Fill in the defaults and mint an id if there is none.

        Raises ValueError with one sentence when the job breaks a rule.
        """
        # null is a wish ("no timeout"), not the same as saying nothing.
        timeout = self.timeout if "timeout" in self.model_fields_set else defaults.timeout
        return JobSpec(
            id=self.id or new_id(),
            argv=tuple(self.argv),
            name=self.name,
            queue=self.queue,
            env=self.env,
            stdin=self._stdin_bytes(),
            timeout=timeout,
            grace=_or(self.grace, defaults.grace),
            max_attempts=_or(self.max_attempts, defaults.max_attempts),
            backoff=Backoff(
                base=_or(self.backoff.base, defaults.backoff.base),
                cap=_or(self.backoff.cap, defaults.backoff.cap),
                jitter=_or(self.backoff.jitter, defaults.backoff.jitter),
            ),
            array=self.array,
            array_index=self.array_index,
        )


def _or(given: _T | None, default: _T) -> _T:
    return default if given is None else given


class IdsIn(_Body):
    """Jobs to look up."""

    ids: list[str]


class DrainIn(_Body):
    """How a worker is drained."""

    grace: float | None = Field(
        None,
        ge=0,
        le=365 * _DAY,
        description="hand running jobs back after so many seconds; null: let them finish",
    )
