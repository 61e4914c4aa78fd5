"""A job as people write it in YAML: in a template, a flow and a schedule.

The fields are those of a submitted job (``POST /jobs``); what is left out takes the cluster's
defaults.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobctl.config.types import Duration, QueueName, Section, VariableName, lasts_at_least
from jobctl.queue.status import Cause

FUNCTION_PATTERN = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
RULES = ("retry", "fail")


def retry_rule(rule: object) -> object:
    """Check what is to be done about one cause: ``retry``, ``fail`` or ``{queue: NAME}``.

    Raises ValueError that says so.
    """
    if isinstance(rule, dict) and set(rule) == {"queue"} and isinstance(rule["queue"], str):
        return rule
    if rule in RULES:
        return rule
    raise ValueError("must be retry, fail or {queue: NAME}")


def retry_rules(rules: dict[str, Any]) -> dict[str, Any]:
    """Check the rules of all causes; those of ``exit`` may be given by exit code.

    Raises ValueError that names the cause.
    """
    for cause, rule in rules.items():
        if cause not in tuple(Cause):
            raise ValueError(f"{cause!r} is no cause; the causes are {', '.join(Cause)}")
        by_code = cause == Cause.EXIT and isinstance(rule, dict) and "queue" not in rule
        for code, one in rule.items() if by_code else (("", rule),):
            if code and code != "default" and not (code.isdigit() and int(code) <= 255):
                raise ValueError(f"{code!r} is no exit code: 0 to 255, or default")
            try:
                retry_rule(one)
            except ValueError as error:
                raise ValueError(f"{cause}{f' {code}' if code else ''} {error}") from None
    return rules


class Retry(Section):
    """What happens after a failure."""

    # A placeholder of a template makes text of a number: "3" is as good as 3 here.
    max_attempts: Annotated[int, Field(strict=False, ge=1, le=1000)] = Field(
        default=1, description="How often it may fail by itself."
    )
    backoff: Duration = Field(default=1.0, description="Wait after the first failure; doubled.")
    max_backoff: Duration = Field(default=60.0, description="The longest wait.")
    jitter: Annotated[float, Field(strict=False, ge=0, le=1)] = Field(
        default=0.2, description="The share of each wait that is random, 0 to 1."
    )
    on: Annotated[dict[str, Any], AfterValidator(retry_rules)] = Field(
        default_factory=dict,
        description="What to do by cause: retry, fail or {queue: NAME}; exit also by exit code.",
        examples=["{oom: {queue: big}, exit: {75: retry, 64: fail}}"],
    )


class Concurrency(Section):
    """At most ``limit`` jobs with the same ``key`` run at once."""

    key: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="What the jobs have in common.", examples=["customer-7"]
    )
    limit: Annotated[int, Field(strict=False, ge=1)] = Field(description="How many may run.")


class JobBody(Section):
    """A job: a command (`argv`) or a Python function, and how it is run."""

    argv: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None,
        description="The command and its arguments.",
        examples=['[sha256sum, "{{path}}"]'],
    )
    function: Annotated[str, Field(pattern=FUNCTION_PATTERN)] | None = Field(
        default=None,
        description="The Python function, instead of a command.",
        examples=["mypkg.tasks:resize"],
    )
    args: dict[str, Any] | list[Any] = Field(
        default_factory=dict, description="The function's arguments: by name, or a list."
    )
    name: str = Field(default="", description="A name to find the job by.")
    queue: QueueName = Field(default="default", description="The queue it waits in.")
    env: dict[VariableName, str] = Field(default_factory=dict, description="Its environment.")
    stdin: str | None = Field(default=None, description="Its standard input.")
    timeout: Annotated[Duration, lasts_at_least("100ms")] | None = Field(
        default=None, description="The longest that it may run."
    )
    grace: Duration = Field(default=10.0, description="From SIGTERM to SIGKILL.")
    priority: Annotated[int, Field(strict=False, ge=-100, le=100)] = Field(
        default=0, description="Higher first, -100 to 100."
    )
    delay: Duration = Field(default=0.0, description="Wait at least this long before it starts.")
    at: str | None = Field(
        default=None, description="Start no sooner.", examples=["2026-12-24T18:00:00Z"]
    )
    key: str = Field(default="", max_length=200, description="The same key is the same job.")
    concurrency: Concurrency | None = Field(default=None, description="A limit it shares.")
    retry: Retry = Field(default=Retry(), description="What happens after a failure.")

    @model_validator(mode="after")
    def _one_work(self) -> Self:
        if (self.argv is None) == (self.function is None):
            raise ValueError("needs either argv (a command) or function (a Python function)")
        if self.args and self.function is None:
            raise ValueError("has args, which are for a function; a command's are part of argv")
        if self.delay and self.at is not None:
            raise ValueError("has both delay and at; give one")
        return self

    def spec(self) -> dict[str, Any]:
        """Return what the file says as the JSON of ``POST /jobs``, and no more."""
        said = self.model_dump(exclude_unset=True)
        return said | ({"argv": list(self.argv)} if self.argv is not None else {})


AfterPolicy = Literal["succeeded", "finished"]
