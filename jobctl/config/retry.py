"""What becomes of a job that failed by itself: tried again, given up or moved, by its cause."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from jobctl.config.types import QUEUE_PATTERN, ConflictError, Duration, Section
from jobctl.config.units import format_duration

# What counts as a failure of the job itself. A lost worker is none, and what was rejected before
# it ran would be rejected again.
CAUSES = ("exit", "signal", "timeout", "oom")

_WORDS = ("retry", "fail")
_RULE = "retry, fail or {queue: NAME}"

_RULE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": list(_WORDS)},
        {
            "type": "object",
            "properties": {"queue": {"type": "string", "pattern": QUEUE_PATTERN}},
            "required": ["queue"],
            "additionalProperties": False,
        },
    ]
}
_CODES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "patternProperties": {r"^([1-9]\d{0,2}|default)$": _RULE_SCHEMA},
    "additionalProperties": False,
}


def checked_rules(rules: dict[str, Any]) -> dict[str, Any]:
    """Hold rules by cause against what there is; raises ValueError naming the wrong one."""
    for cause, rule in rules.items():
        if cause not in CAUSES:
            raise ValueError(f"has no rule for {cause!r}; the causes are {', '.join(CAUSES)}")
        if cause == "exit" and isinstance(rule, Mapping) and "queue" not in rule:
            for code, own in rule.items():
                if code != "default" and (not code.isdecimal() or not 1 <= int(code) <= 255):
                    raise ValueError(f"exit.{code} is no exit code: use 1 to 255, or default")
                _check_rule(f"exit.{code}", own)
        else:
            _check_rule(cause, rule)
    return rules


def retries(rules: Mapping[str, Any]) -> bool:
    """Tell whether any of the rules tries again."""
    flat = [
        one
        for rule in rules.values()
        for one in (rule.values() if isinstance(rule, Mapping) and "queue" not in rule else (rule,))
    ]
    return any(rule != "fail" for rule in flat)


def _check_rule(where: str, rule: object) -> None:
    if isinstance(rule, Mapping):
        queue = rule.get("queue")
        good = set(rule) == {"queue"} and isinstance(queue, str)
        good = good and re.fullmatch(QUEUE_PATTERN, str(queue)) is not None
    else:
        good = rule in _WORDS
    if not good:
        raise ValueError(f"{where} must be {_RULE}, not {_said(rule)}")


def _said(rule: object) -> str:
    if isinstance(rule, Mapping):
        return "{" + ", ".join(f"{key}: {value}" for key, value in rule.items()) + "}"
    return repr(rule) if isinstance(rule, str) else str(rule)


Rules = Annotated[
    dict[str, Any],
    AfterValidator(checked_rules),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                "exit": {"anyOf": [*_RULE_SCHEMA["anyOf"], _CODES_SCHEMA]},
                **dict.fromkeys(CAUSES[1:], _RULE_SCHEMA),
            },
            "additionalProperties": False,
        }
    ),
]
"""Per cause: ``retry``, ``fail`` or ``{queue: NAME}``; for ``exit`` also per exit code."""

_MAX_ATTEMPTS = (
    "How often a job may fail by itself (exit code, timeout, out of memory) before it counts as "
    "failed. 1 means no second try. The loss of a worker never uses one up."
)
_BACKOFF = "Wait after the first failure; twice that after the second, and so on."
_MAX_BACKOFF = "The longest wait between two tries; `backoff` or more."
_JITTER = (
    "The share of each wait, 0 to 1, that is random, so that jobs that failed together are not all "
    "tried again together."
)
_ON = (
    "What a failure leads to, by cause (`exit`, `signal`, `timeout`, `oom`): `retry`, `fail` (no "
    "further try) or `{queue: NAME}` (tried again there, for good); for `exit` also by exit code. "
    "Without a rule: `retry`, as long as `max_attempts` allows."
)
_ON_EXAMPLE = {"oom": {"queue": "large"}, "exit": {"75": "retry", "64": "fail"}}

Attempts = Annotated[int, Field(strict=False, ge=1, le=1000)]
Jitter = Annotated[float, Field(strict=False, ge=0, le=1)]


class Retry(Section):
    """What becomes of jobs that fail by themselves."""

    max_attempts: Attempts = Field(default=1, description=_MAX_ATTEMPTS)
    backoff: Duration = Field(default=1.0, description=_BACKOFF)
    max_backoff: Duration = Field(default=60.0, description=_MAX_BACKOFF)
    jitter: Jitter = Field(default=0.2, description=_JITTER)
    on: Rules = Field(default_factory=dict, description=_ON, examples=[_ON_EXAMPLE])

    @field_validator("max_backoff")
    @classmethod
    def _not_below_backoff(cls, most: float, info: ValidationInfo) -> float:
        return _not_below(most, info.data.get("backoff"))

    @field_validator("on")
    @classmethod
    def _has_tries(cls, rules: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return _with_tries(rules, info.data.get("max_attempts"))


class JobRetry(Section):
    """What becomes of this job when it fails; what is not said is as in ``jobs.retry``."""

    max_attempts: Attempts | None = Field(default=None, description="As in `jobs.retry`.")
    backoff: Duration | None = Field(default=None, description="As in `jobs.retry`.")
    max_backoff: Duration | None = Field(default=None, description="As in `jobs.retry`.")
    jitter: Jitter | None = Field(default=None, description="As in `jobs.retry`.")
    on: Rules | None = Field(default=None, description="As in `jobs.retry`.")

    @field_validator("max_backoff")
    @classmethod
    def _not_below_backoff(cls, most: float | None, info: ValidationInfo) -> float | None:
        return most if most is None else _not_below(most, info.data.get("backoff"))

    @field_validator("on")
    @classmethod
    def _has_tries(
        cls, rules: dict[str, Any] | None, info: ValidationInfo
    ) -> dict[str, Any] | None:
        return rules if rules is None else _with_tries(rules, info.data.get("max_attempts"))


def _not_below(most: float, base: float | None) -> float:
    if base is not None and most < base:
        raise ConflictError(
            f"must be at least backoff ({format_duration(base)}); it is {format_duration(most)}",
            "backoff",
        )
    return most


def _with_tries(rules: dict[str, Any], max_attempts: int | None) -> dict[str, Any]:
    if max_attempts == 1 and retries(rules):
        raise ConflictError("has a rule that tries again, but max_attempts is 1", "max_attempts")
    return rules
