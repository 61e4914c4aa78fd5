"""Small scripts: all dead letters retried page by page, and a look at the master as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobctl.client import calls
from jobctl.client.script import Link, Script, Send, perform

_DEAD_PAGE = 500


def retry_dead(
    link: Link, name: str | None, cause: str | None, retried: Callable[[int], None] | None
) -> Script[list[str]]:
    """Retry all failed jobs and return their ids."""
    ids: list[str] = []
    cursor: str | None = None
    while True:
        page = yield from perform(link, calls.retry_dead(name, cause, _DEAD_PAGE, cursor))
        ids += page["ids"]
        cursor = page["cursor"]
        if retried:
            retried(len(ids))
        if not cursor:
            return ids


def ready() -> Script[dict[str, Any]]:
    """Ask once, and take any answer: not being ready is one, too."""
    answer = yield Send(calls.ready())
    return dict(answer.json())
