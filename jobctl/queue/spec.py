"""What a caller asks for: one job, with everything that may be said of it beforehand."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .errors import InvalidSpec
from .ids import is_id
from .status import FAILURES, Cause

MAX_BATCH = 500
"""The most specs one `submit` takes: one call must never keep Redis busy for long."""

MAX_ARGS = 256 << 10
"""The most bytes of JSON that a function's arguments may be."""

MAX_PARENTS = 1000
"""The most ids in `after`."""

LATEST = 253_402_300_799_999
"""The end of the year 9999 in ms since 1970: no date can be written for what is later."""

MAX_DELAY = 100 * 365 * 86400.0
"""The longest a job can be made to wait, in seconds."""

MAX_PRIORITY = 100
"""Priorities go from -MAX_PRIORITY to MAX_PRIORITY, the highest first."""

RetryRule = str | Mapping[str, Any]
"""`"retry"`, `"fail"` or `{"queue": NAME}` (move there for good, and retry)."""

_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ENV_NAME = re.compile(r"[^=\0]+")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_MAX_NAME = 200
_MAX_SPEC_BYTES = 1 << 20
# What a rule can be given for: what counts as a try of the job. A rejected job is never
# tried again, and a lost worker has a count of its own.
_RULED = frozenset(FAILURES) - {Cause.REJECTED}


def _require(good: bool, message: str, *words: object) -> None:
    # Thousands of specs are made for one that is wrong: the sentence is put together late.
    if not good:
        sentence = message.format(*words) if words else message
        raise InvalidSpec(f"This job cannot be submitted: {sentence}.")


@lru_cache(maxsize=1024)  # a producer has few, and submits one of them
def is_queue_name(name: str) -> bool:
    """Whether a queue can be called that."""
    return _QUEUE.fullmatch(name) is not None


def own_queue(worker: str) -> str:
    """The queue that this worker alone serves; no job can be submitted to it (see `canary`)."""
    return f"@{worker}"


@lru_cache(maxsize=1024)
def _is_function(name: str) -> bool:
    return len(name) <= _MAX_NAME and _FUNCTION.fullmatch(name) is not None


class AfterPolicy(StrEnum):
    """When a job that waits for others may run; otherwise it is cancelled with them."""

    SUCCEEDED = "succeeded"  # all its parents succeeded
    FINISHED = "finished"  # all its parents are over, however


@dataclass(frozen=True)
class Backoff:
    """How long a failed job waits: base * 2^(failures-1) s, at most cap, +- jitter (0..1)."""

    base: float = 1.0
    cap: float = 60.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        _require(0 <= self.base <= self.cap, "backoff needs 0 <= base <= cap")
        _require(self.cap <= MAX_DELAY, "backoff is at most 100 years")
        _require(0 <= self.jitter <= 1, "backoff jitter must be between 0 and 1")


DEFAULT_BACKOFF = Backoff()


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """What a caller asks for: exactly one of `argv` (a command) and `function`.

    `args` is a function's arguments as JSON text: an object (by name) or an array (by
    place). `grace` is the time between SIGTERM and SIGKILL, `delay` in seconds by Redis'
    clock, `at` in ms since 1970. `key` makes a submit idempotent: as long as a job with
    the same key is kept, that job is the answer. At most `concurrency_limit` jobs with
    the same `concurrency_key` are claimed or running at once. `after` are ids of jobs
    and arrays. `retry_on` says per cause what a failure leads to (see `RetryRule`); for
    `exit` also per exit code, with `default` for the others.
    """

    id: str
    argv: tuple[str, ...] = ()
    function: str = ""
    args: str = ""
    name: str = ""
    queue: str = "default"
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes | None = None
    timeout: float | None = None
    grace: float = 10.0
    priority: int = 0
    delay: float = 0.0
    at: int | None = None
    key: str = ""
    concurrency_key: str = ""
    concurrency_limit: int | None = None
    after: tuple[str, ...] = ()
    after_policy: AfterPolicy = AfterPolicy.SUCCEEDED
    max_attempts: int = 1
    backoff: Backoff = DEFAULT_BACKOFF
    retry_on: Mapping[str, RetryRule] = field(default_factory=dict)
    array: str = ""
    array_index: int | None = None
    array_size: int | None = None
    array_max_fails: int | None = None

    if not TYPE_CHECKING:

        def __init__(self, **given: Any) -> None:
            # Only what is given is kept, the rest are the class' own defaults: to set and to check
            # two dozen fields took a tenth of the time from a submit to its job.
            if not _NEEDED <= given.keys() <= _FIELDS:
                odd = ", ".join(sorted(_NEEDED - given.keys() | given.keys() - _FIELDS))
                raise TypeError(f"JobSpec needs an id and takes its fields, by name: {odd}")
            self.__dict__.update(given)
            self._check()

    @property
    def plain(self) -> bool:
        """Whether nothing is said but a function, its arguments and a queue."""
        return self.__dict__.keys() <= _PLAIN and bool(self.function)

    def _check(self) -> None:
        _require(is_id(self.id), "{!r} is not a job id (a 26-character ULID)", self.id)
        if self.plain:
            self._check_function()
            _require(is_queue_name(self.queue), "{!r} is no queue name", self.queue)
            return
        if self.function:
            self._check_function()
        else:
            self._check_command()
        _require(is_queue_name(self.queue), "{!r} is no queue name", self.queue)
        if self.name:
            _require(_short(self.name), f"a job's name is at most {_MAX_NAME} printable characters")
        if self.env:
            self._check_env()
        limit = self.timeout
        _require(limit is None or 0 < limit < math.inf, "timeout must be more than 0")
        _require(0 <= self.grace < math.inf, "grace must be a time of 0 or more")
        _require(self.max_attempts >= 1, "max_attempts must be at least 1")
        _require(abs(self.priority) <= MAX_PRIORITY, "priority must be between -100 and 100")
        if self.delay or self.at is not None:
            self._check_time()
        if self.key:
            _require(_short(self.key), f"a key is at most {_MAX_NAME} printable characters")
        if self.concurrency_key or self.concurrency_limit is not None:
            self._check_concurrency()
        if self.after:
            self._check_after()
        if self.retry_on:
            self._check_retry_on()
        if self.array or (self.array_index, self.array_size, self.array_max_fails) != _NO_ARRAY:
            self._check_array()

    def _check_function(self) -> None:
        _require(not self.argv, "it is either a command or a function, not both")
        _require(
            _is_function(self.function),
            "{!r} is no function (write package.module:name)",
            self.function,
        )
        _require(self.stdin is None, "a function has no stdin; give it arguments")
        if self.args:
            # Counting bytes costs more than looking; most arguments are short.
            size = len(self.args)
            if 4 * size > MAX_ARGS:
                size = len(self.args.encode("utf-8", "surrogatepass"))
            _require(size <= MAX_ARGS, "the function's arguments exceed 256 KiB")
            outside = self.args[0] + self.args[-1]
            _require(outside in ("{}", "[]"), "args must be a JSON object or array")

    def _check_command(self) -> None:
        _require(not self.args, "args are a function's; a command has argv")
        _require(bool(self.argv) and bool(self.argv[0]), "a job needs a command or a function")
        _require(not any("\0" in a for a in self.argv), "an argument cannot hold a NUL byte")
        size = sum(map(len, self.argv)) + len(self.stdin or b"")
        size += sum(len(k) + len(v) for k, v in self.env.items())
        _require(size <= _MAX_SPEC_BYTES, "command, environment and stdin exceed 1 MiB")

    def _check_env(self) -> None:
        for name, value in self.env.items():
            good = _ENV_NAME.fullmatch(name) is not None and "\0" not in value
            _require(good, f"{name!r} cannot be an environment variable")
        size = sum(len(k) + len(v) for k, v in self.env.items())
        _require(size <= _MAX_SPEC_BYTES, "command, environment and stdin exceed 1 MiB")

    def _check_time(self) -> None:
        _require(0 <= self.delay <= MAX_DELAY, "delay must be a time of 0 to 100 years")
        _require(not (self.delay and self.at is not None), "give either delay or at, not both")
        good = self.at is None or 0 <= self.at <= LATEST
        _require(good, "at must be an instant from 1970 to the year 9999")

    def _check_concurrency(self) -> None:
        limit = self.concurrency_limit
        both = bool(self.concurrency_key) and limit is not None
        _require(both, "a concurrency limit needs both a key and a number")
        _require(_short(self.concurrency_key), f"a key is at most {_MAX_NAME} printable characters")
        _require(limit is None or limit >= 1, "a concurrency limit must be at least 1")

    def _check_after(self) -> None:
        _require(len(self.after) <= MAX_PARENTS, f"a job waits for at most {MAX_PARENTS} others")
        for parent in self.after:
            _require(is_id(parent), f"{parent!r} in after is not a job id")
        _require(self.id not in self.after, "it cannot wait for itself")

    def _check_retry_on(self) -> None:
        for cause, rule in self.retry_on.items():
            _require(cause in _RULED, f"retry_on has no rule for {cause!r}")
            if cause == Cause.EXIT and isinstance(rule, Mapping) and "queue" not in rule:
                for code, its_rule in rule.items():
                    good = code == "default" or (code.isdecimal() and 1 <= int(code) <= 255)
                    _require(good, f"{code!r} in retry_on is no exit code")
                    self._check_rule(its_rule)
            else:
                self._check_rule(rule)

    def _check_rule(self, rule: object) -> None:
        if isinstance(rule, Mapping):
            queue = rule.get("queue")
            good = set(rule) == {"queue"} and isinstance(queue, str) and is_queue_name(queue)
        else:
            good = rule in ("retry", "fail")
        _require(good, 'a rule in retry_on is "retry", "fail" or {"queue": NAME}')
        if rule != "fail":
            _require(
                self.max_attempts > 1, "retry_on retries, but max_attempts is 1: allow 2 or more"
            )

    def _check_array(self) -> None:
        _require(is_id(self.array), f"{self.array!r} is not an array id (a 26-character ULID)")
        index, size, fails = self.array_index, self.array_size, self.array_max_fails
        _require(size is None or size >= 1, "an array has at least 1 job")
        in_range = index is None or (index >= 0 and (size is None or index < size))
        _require(in_range, "array_index must be 0 or more, and less than array_size")
        _require(fails is None or fails >= 0, "array_max_fails must be 0 or more")


_FIELDS = frozenset(JobSpec.__dataclass_fields__)
_NEEDED = frozenset({"id"})
_PLAIN = frozenset({"id", "function", "args", "queue"})
for _name in ("env", "retry_on"):
    setattr(JobSpec, _name, MappingProxyType({}))

_NO_ARRAY = (None, None, None)


def _short(text: str) -> bool:
    return len(text) <= _MAX_NAME and text.isprintable()


def compact(value: object) -> str:
    """JSON without blanks, in ASCII: bytes that are no UTF-8 survive as escapes."""
    return json.dumps(value, separators=(",", ":"))
