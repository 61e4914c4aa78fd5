"""How a job is run: what goes with a submit beside the work itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

RetryRule = Literal["retry", "fail"] | Mapping[str, Any]
"""``retry``, ``fail`` or ``{"queue": NAME}``; for ``exit`` also a mapping from exit codes."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """What happens after a failure; what is None is as in the cluster file.

    ``max_attempts``: how often the job may fail by itself. ``backoff``: seconds before the second
    attempt, doubled each time up to ``max_backoff``; ``jitter``: the share of it, 0 to 1, that is
    random. ``on``: rules by cause, ``{"oom": {"queue": "big"}, "exit": {"75": "retry"}}``.
    """

    max_attempts: int | None = None
    backoff: float | None = None
    max_backoff: float | None = None
    jitter: float | None = None
    on: Mapping[str, RetryRule] | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a job is run; what is left out is as in the cluster file.

    ``timeout``, ``grace``, ``delay``: seconds. ``at``: start no sooner (a datetime without a zone
    is local, text without one UTC, a number ms since 1970). ``priority``: -100 to 100, higher
    first. ``key``: the same key is the same job. ``limit``: a key, and how many jobs with it may
    run at once. ``after``: ids of the jobs and arrays that it waits for; with ``after_policy``
    "succeeded" (the default) it is cancelled when one of them does not succeed, with "finished" it
    runs when all have ended. ``id``: a ULID of your own (`jobctl.client.new_id`), so that a submit
    from another process is the same job.
    """

    name: str | None = None
    queue: str | None = None
    env: Mapping[str, str] | None = None
    stdin: bytes | str | None = None
    timeout: float | None = None
    grace: float | None = None
    priority: int | None = None
    delay: float | None = None
    at: datetime | str | int | None = None
    key: str | None = None
    limit: tuple[str, int] | None = None
    after: str | Sequence[str] | None = None
    after_policy: Literal["succeeded", "finished"] | None = None
    retry: Retry | None = None
    id: str | None = None

    def spec(self) -> dict[str, Any]:
        """Return what was said as fields of a job."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        if isinstance(self.at, datetime):
            said["at"] = self.at.astimezone().isoformat()
        said["after"] = [self.after] if isinstance(self.after, str) else self.after
        key, most = said.pop("limit") or (None, None)
        said["concurrency"] = None if key is None else {"key": key, "limit": most}
        if self.retry is not None:
            rules = {one.name: getattr(self.retry, one.name) for one in fields(self.retry)}
            said["retry"] = _given(rules)
        return _given(said)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None
    }
