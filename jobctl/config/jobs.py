"""A job as people write it down: in cluster.yaml's schedules, in templates, in workflows.

The fields are those of ``POST /jobs``, with durations and text as YAML has them.
"""

from typing import Annotated, Any, Self

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from jobctl.config.retry import JobRetry, Retry
from jobctl.config.types import (
    Duration,
    QueueName,
    Section,
    VariableName,
    lasts_at_least,
)

FUNCTION_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_.]*$"

FunctionName = Annotated[str, Field(pattern=FUNCTION_PATTERN, max_length=200)]
Timeout = Annotated[Duration, lasts_at_least("100ms")]

Arguments = Annotated[
    dict[str, Any] | list[Any],
    WithJsonSchema({"type": ["object", "array"]}),
]
"""A function's arguments: by name (a section) or by place (a list)."""


class Jobs(Section):
    """What a job gets that does not say otherwise when it is submitted."""

    timeout: Timeout | None = Field(
        default=None, description="End a job that runs longer than this. null means no limit."
    )
    grace: Duration = Field(
        default=10.0,
        description="Time between the polite signal (SIGTERM) and the final one (SIGKILL) when a "
        "job is cancelled or out of time.",
    )
    retry: Retry = Field(
        default=Retry(), description="What becomes of jobs that fail by themselves."
    )


class Concurrency(Section):
    """How many jobs with the same key may run at the same time."""

    key: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="What they share, such as the name of a customer.", examples=["shop-7"]
    )
    limit: Annotated[int, Field(strict=False, ge=1)] = Field(
        description="At most so many of them run.", examples=[2]
    )


class JobFields(Section):
    """A job: a command or a function, and what is not as ``jobs`` says for all of them."""

    argv: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(),
        description="The command and its arguments; no shell reads them.",
        examples=['[sha256sum, "{{path}}"]'],
    )
    function: FunctionName | None = Field(
        default=None,
        description="Or a Python function of the pool's code, as `package.module:name`.",
        examples=["mypkg.tasks:resize"],
    )
    args: Arguments | None = Field(
        default=None,
        description="The function's arguments: by name (`{width: 64}`) or by place (`[64]`).",
    )
    name: Annotated[str, Field(max_length=200)] = Field(
        default="", description="A name to find the job by."
    )
    queue: QueueName = Field(default="default", description="The queue it waits in.")
    env: dict[VariableName, str] = Field(default_factory=dict, description="Its environment.")
    stdin: str | None = Field(default=None, description="What a command reads from its stdin.")
    timeout: Timeout | None = Field(
        default=None, description="The longest that it may run. null: as `jobs` says."
    )
    grace: Duration | None = Field(
        default=None, description="From SIGTERM to SIGKILL. null: as `jobs` says."
    )
    priority: Annotated[int, Field(strict=False, ge=-100, le=100)] = Field(
        default=0, description="-100 to 100: in its queue, higher ones go first."
    )
    concurrency: Concurrency | None = Field(
        default=None, description="A limit that it shares with others."
    )
    retry: JobRetry | None = Field(default=None, description="What becomes of it when it fails.")

    @field_validator("argv")
    @classmethod
    def _a_command(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if argv and not argv[0]:
            raise ValueError("must begin with a command")
        return argv

    @model_validator(mode="after")
    def _command_or_function(self) -> Self:
        if bool(self.argv) == bool(self.function):
            both = "not both" if self.argv else "it has neither"
            raise ValueError(f"needs `argv` (a command) or `function`: {both}")
        if self.args is not None and not self.function:
            raise ValueError("has `args`, which are a function's; a command has `argv`")
        if self.stdin is not None and self.function:
            raise ValueError("has `stdin`, which is a command's; a function has `args`")
        return self


def job_spec(job: JobFields) -> dict[str, Any]:
    """Return a job as ``POST /jobs`` takes it, with no more than what is not the default."""
    spec = job.model_dump(exclude_none=True, exclude_defaults=True)
    return {**spec, "argv": list(job.argv)} if job.argv else spec
