"""From what was seen of an ended process to the outcome that the queue is told. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum

from jobctl.queue import Cause, Outcome

_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)


class Stop(Enum):
    """Why the worker ended a job before it ended by itself."""

    HAND_BACK = "hand-back"
    TIMEOUT = "timeout"
    CANCEL = "cancel"
    TAKEN_OVER = "taken-over"


@dataclass(frozen=True)
class Ending:
    """What was seen.

    `returncode` as subprocess has it (negative: a signal). `stopped` only if the worker
    really signalled the job. `oom_kills` happened in the container while it ran; `alone`
    if no other job ran here in all that time. `timeout` in seconds. `launcher` if it was the
    process that had started the job which was ended, and the job with it.
    """

    returncode: int
    stopped: Stop | None = None
    oom_kills: int = 0
    alone: bool = True
    timeout: float | None = None
    launcher: bool = False


def outcome_of(ending: Ending) -> Outcome:
    """Tells success, exit, signal, timeout, OOM and cancel apart."""
    code = ending.returncode if ending.returncode >= 0 else None
    number = -ending.returncode if ending.returncode < 0 else None
    if ending.stopped is Stop.CANCEL:
        return Outcome(False, Cause.CANCELLED, code, number, "cancelled while it ran")
    if ending.stopped is Stop.TIMEOUT:
        limit = f"{ending.timeout:g} s" if ending.timeout is not None else "its timeout"
        return Outcome(False, Cause.TIMEOUT, code, number, f"ran longer than {limit}")
    if code == 0:
        return Outcome(True, exit_code=0)
    if ending.oom_kills > 0 and _blames(ending):
        reason = "used more memory than its worker has"
        return Outcome(False, Cause.OOM, code, number, reason)
    if number is not None:
        return Outcome(False, Cause.SIGNAL, None, number, _signal_reason(ending, number))
    return Outcome(False, Cause.EXIT, code, None, exit_reason(ending.returncode))


def _blames(ending: Ending) -> bool:
    # A job whose child was killed for memory may exit with any code. That is only sure
    # to be its own fault when nothing else ran; 137 alone proves nothing either.
    return ending.alone or ending.returncode in _KILLED


def _signal_reason(ending: Ending, number: int) -> str:
    name = signal_name(number)
    if ending.launcher:
        return f"the process that started it was ended by {name}, probably by the job itself"
    return f"ended by {name}"


def exit_reason(code: int) -> str:
    """One clause for a nonzero exit code, with the shell's conventions spelled out."""
    if code == 127:
        return "exit code 127 (command not found)"
    if code == 126:
        return "exit code 126 (found, but cannot be executed)"
    if code > 128 and (name := signal_name(code - 128)) != str(code - 128):
        return f"exit code {code} (a process in it was ended by {name})"
    return f"exit code {code}"


def signal_name(number: int) -> str:
    """SIGSEGV for 11; the number itself where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
