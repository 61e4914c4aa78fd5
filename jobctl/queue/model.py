"""What comes out of the queue and what workers put in: plain frozen records.

All instants are integers, milliseconds since 1970 by Redis' clock; all durations are
seconds as floats. What goes in first is in `spec.py`, workers are in `fleet.py`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from .spec import DEFAULT_BACKOFF, AfterPolicy, Backoff, RetryRule
from .status import Cause, Status

MAX_RESULT = 64 << 10
"""The most bytes of JSON that a function may return."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An ended attempt whose result is not the job's."""

    attempt: int
    worker: str = ""
    started_at: int | None = None
    ended_at: int | None = None
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as Redis has it: the spec, and all that became of it.

    `attempt` is the fence (the latest one handed out), `accepted` the attempt whose
    finish ended the run and whose output is the job's (None: no worker delivered the
    end). `history` holds the last 20 other ended attempts, newest last. `result` is what
    a function returned, as JSON text ("" for null). `blockers` is how many of the jobs
    in `after` are not over yet.
    """

    id: str
    status: Status
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
    key: str = ""
    concurrency_key: str = ""
    concurrency_limit: int | None = None
    after: tuple[str, ...] = ()
    after_policy: AfterPolicy = AfterPolicy.SUCCEEDED
    blockers: int = 0
    max_attempts: int = 1
    backoff: Backoff = DEFAULT_BACKOFF
    retry_on: Mapping[str, RetryRule] = field(default_factory=dict)
    array: str = ""
    array_index: int | None = None
    array_size: int | None = None
    array_max_fails: int | None = None
    step: str = ""
    progress: float | None = None
    checkpoint: str = ""
    submitted_at: int | None = None
    claimed_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    due_at: int | None = None
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    losses: int = 0
    run: int = 1
    worker: str = ""
    incarnation: str = ""
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    cancelling: bool = False
    accepted: int | None = None
    result: str = ""
    history: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. `cause` is required unless it succeeded.

    `result` is JSON text of at most `MAX_RESULT` bytes ("" for null).
    """

    succeeded: bool
    cause: Cause | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    result: str = ""

    def __post_init__(self) -> None:
        if self.succeeded != (self.cause is None):
            raise ValueError("an outcome is either a success or has a cause")


class Finish(NamedTuple):
    """A worker's word on an attempt; `started_at` (ms) is when its command began."""

    id: str
    attempt: int
    outcome: Outcome
    started_at: int | None = None


_PLAIN = 4
_NO_MORE: Mapping[str, str] = {}
# Commands of at most so many characters are kept in mind: jobs of an array all have the same.
_SHORT = 1024


@lru_cache(maxsize=8)
def _words(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


class ClaimedJob:
    """A job as its worker gets it: `attempt` is the one that was claimed.

    Made for thousands a second: the fields stay as Redis keeps them until they are asked
    for.
    """

    __slots__ = ("_fields", "args", "attempt", "function", "id", "plain", "queue")

    def __init__(
        self,
        id: str,  # noqa: A002 - what it is called everywhere
        queue: str,
        function: str,
        args: str,
    ) -> None:
        """A first attempt of a function without anything special.

        `function` is `package.module:name` ("" for a command), `args` its arguments as JSON.
        """
        self.id = id
        self.queue = queue
        self.function = function
        self.args = args
        self.attempt = 1
        self.plain = True
        """Whether it is a function's first attempt without anything special."""
        self._fields = _NO_MORE

    @classmethod
    def of(cls, flat: Sequence[str]) -> ClaimedJob:
        """From id, queue, function and args of a plain job, or from the whole hash."""
        if len(flat) == _PLAIN:
            return cls(*flat)
        words: Iterator[str] = iter(flat)
        f = dict(zip(words, words, strict=False))
        job = cls(f["id"], f["queue"], f.get("function", ""), f.get("args", ""))
        job.plain, job._fields = False, f
        # The hash as it was: the claim itself added one.
        job.attempt = int(f.get("attempt", 0)) + 1
        return job

    @property
    def argv(self) -> tuple[str, ...]:
        """A command and its arguments; () for a function."""
        text = self._fields.get("argv")
        if text is None:
            return ()
        return _words(text) if len(text) <= _SHORT else tuple(json.loads(text))

    @property
    def env(self) -> dict[str, str]:
        """What is added to the environment."""
        env: dict[str, str] = json.loads(self._fields["env"]) if "env" in self._fields else {}
        return env

    @property
    def stdin(self) -> bytes | None:
        """What a command reads; None for nothing."""
        text = self._fields.get("stdin")
        return None if text is None else base64.b64decode(text)

    @property
    def timeout(self) -> float | None:
        """Seconds the attempt may take."""
        text = self._fields.get("timeout")
        return float(text) if text else None

    @property
    def grace(self) -> float:
        """Seconds between asking it to end and ending it."""
        return float(self._fields.get("grace", 10.0))

    @property
    def checkpoint(self) -> str:
        """What an earlier attempt left."""
        return self._fields.get("checkpoint", "")

    @property
    def name(self) -> str:
        """The name it was given, or ""."""
        return self._fields.get("name", "")

    @property
    def array(self) -> str:
        """The array it belongs to, or ""."""
        return self._fields.get("array", "")

    @property
    def array_index(self) -> int | None:
        """Its place in the array."""
        text = self._fields.get("array_index")
        return int(text) if text else None

    @property
    def run(self) -> int:
        """1, and one more for each `retry`."""
        return int(self._fields.get("run", 1))

    @property
    def failures(self) -> int:
        """How often it failed before in this run."""
        return int(self._fields.get("failures", 0))

    def __repr__(self) -> str:
        return f"ClaimedJob({self.id}, attempt={self.attempt})"


class Claims(NamedTuple):
    """What a claim got; `next_due` is in how many seconds there may be more (None: unknown)."""

    jobs: list[ClaimedJob]
    next_due: float | None = None


class Tick(NamedTuple):
    """How many jobs a tick moved, and in how many seconds the next is due (None: none is)."""

    moved: int
    next_due: float | None = None


class Submitted(NamedTuple):
    """`created` is False when the id was there already (a repeated submit).

    `queued_at` (ms) is when it was submitted if it was made and nothing is in its way.
    """

    id: str
    created: bool
    queued_at: int | None = None


class Page(NamedTuple):
    """Part of a listing; `cursor` continues it and is None at the end."""

    jobs: list[Job]
    cursor: str | None
