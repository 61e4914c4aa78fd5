"""From what an executor said, or how it died, to the outcome of a job. Pure."""

from __future__ import annotations

import json
from dataclasses import replace

from jobctl.queue import MAX_RESULT, Cause, Outcome

from ..cause import Ending, Stop, outcome_of

_MAX_REASON = 500
_SUCCESS = Outcome(True, exit_code=0)


def success(text: bytes) -> Outcome:
    """The function returned; `text` is its result as JSON, empty for null."""
    if not text:
        return _SUCCESS
    if len(text) > MAX_RESULT:
        raise ValueError("a result that is too long")
    return Outcome(True, exit_code=0, result=text.decode())


def stopped_early(why: Stop, timeout: float | None) -> Outcome:
    """The function ended after it was told to: there is no exit code in that."""
    return replace(outcome_of(Ending(1, why, timeout=timeout)), exit_code=None)


def failure(said: bytes, *, oom_kills: int, alone: bool) -> Outcome:
    """The function raised something. `said`: kind, exit code and reason.

    `oom_kills` happened in the container while it ran; `alone` if nothing else ran there.
    """
    kind, code, text = said.split(b" ", 2)
    reason = str(json.loads(text))
    if kind == b"r":
        return Outcome(False, Cause.REJECTED, reason=f"cannot be started: {reason}")
    # As for commands: sure if nothing else ran, or if a process of its own was killed.
    if oom_kills > 0 and (alone or kind == b"k"):
        reason = f"a process that it started used more memory than its worker has ({reason})"
        return Outcome(False, Cause.OOM, int(code), None, reason[:_MAX_REASON])
    return Outcome(False, Cause.EXIT, int(code), None, reason)


def death(
    status: int | None,
    stopped: Stop | None,
    *,
    oom_kills: int,
    alone: bool,
    timeout: float | None,
) -> Outcome:
    """The executor ended while the function ran; `status` None: it did not, but cut the line."""
    if status is None and stopped is None:
        said = "its function closed the executor's files, or replaced its process"
        return Outcome(False, Cause.EXIT, reason=said)
    outcome = outcome_of(Ending(status or 0, stopped, oom_kills, alone, timeout))
    if outcome.succeeded:
        said = "its function ended the process without an answer (exit code 0)"
        return Outcome(False, Cause.EXIT, 0, None, said)
    return outcome
