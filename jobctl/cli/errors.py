"""The one error boundary: any exception becomes a sentence, a next command and an exit code.

Every package raises exceptions whose ``str`` is one sentence and whose ``hint`` is the next command
to try; nothing here needs to know their classes.
"""

import os
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass

OK = 0
FAILED = 1
USAGE = 2
TIMED_OUT = 124
INTERRUPTED = 130
BROKEN_PIPE = 141

EXIT_CODES = {
    OK: "done; for `wait`, `submit --wait` and `submit --follow`: every job succeeded",
    FAILED: "it could not be done, or a job that was waited for did not succeed; for `chaos drill` "
    "and `chaos soak`: FAIL",
    USAGE: "the command line is wrong, nothing was done; for `chaos drill` and `chaos soak`: "
    "INCONCLUSIVE",
    TIMED_OUT: "`wait --timeout` ran out; the jobs go on",
    INTERRUPTED: "interrupted (Ctrl-C); jobs go on",
    BROKEN_PIPE: "the reader of the output went away",
}
"""What each exit code means; docs/cli.md is generated from it."""


class CommandError(Exception):
    """Something the user can put right: a sentence, the next command, a stable code."""

    exit_code = FAILED

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class UsageError(CommandError):
    """The command line itself is wrong."""

    exit_code = USAGE

    def __init__(self, message: str, hint: str = "", code: str = "usage") -> None:
        super().__init__(message, hint, code)


class Interrupted(CommandError):
    """The user pressed Ctrl-C; the message says what goes on all the same."""

    exit_code = INTERRUPTED

    def __init__(self, message: str = "Interrupted.", hint: str = "") -> None:
        super().__init__(message, hint, "interrupted")


class TimedOut(CommandError):
    """What was waited for did not happen in the time that the user gave it."""

    exit_code = TIMED_OUT


@dataclass(frozen=True)
class Failure:
    """An error as it is shown: in text on stderr, with ``--output json`` in the envelope."""

    code: str
    message: str
    hint: str
    exit_code: int
    detail: str = ""

    def lines(self) -> list[str]:
        """Return the text form, one line each; ``detail`` may hold several."""
        lines = [self.detail.rstrip()] if self.detail else []
        label = "" if self.exit_code == INTERRUPTED else "error: "
        lines += [label + line for line in self.message.splitlines()]
        if self.hint:
            lines.append(f"next: {self.hint}")
        return lines

    def data(self) -> dict[str, str]:
        """Return the envelope's ``error`` object."""
        error = {"code": self.code, "message": self.message, "hint": self.hint}
        return error | {"detail": self.detail} if self.detail else error


def guarded(call: Callable[[], int | None], show: Callable[[Failure], None]) -> int:
    """Run a command to its exit code; whatever it raises is shown, once, as a Failure."""
    try:
        return call() or OK
    except KeyboardInterrupt:
        shown = failure(Interrupted())
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - this is the boundary
        shown = failure(error)
    show(shown)
    return shown.exit_code


def failure(error: Exception) -> Failure:
    """Describe any exception for the user."""
    if hasattr(error, "hint"):
        return Failure(
            code=str(getattr(error, "code", "") or _code(error)),
            message=str(error).strip() or type(error).__name__,
            hint=str(error.hint or ""),
            exit_code=int(getattr(error, "exit_code", _exit_code(error))),
            detail=_detail(error),
        )
    if isinstance(error, OSError) and error.filename is not None:
        reason = (error.strerror or "cannot be used").lower()
        return Failure("file", f"{error.filename}: {reason}", f"ls -ld {error.filename}", FAILED)
    debug = bool(os.environ.get("JOBCTL_DEBUG"))
    said = " ".join(str(error).split())
    return Failure(
        code="bug",
        message=f"{type(error).__name__}: {said}" if said else type(error).__name__,
        hint="this is a bug in jobctl"
        + ("" if debug else "; run again with JOBCTL_DEBUG=1 for the traceback"),
        exit_code=FAILED,
        detail="".join(traceback.format_exception(error)) if debug else "",
    )


def usage_failure(error: Exception, command: str) -> Failure:
    """Describe a parser's complaint (an unknown option, a missing argument)."""
    said = getattr(error, "format_message", error.__str__)()
    sentence = " ".join(str(said).split()).rstrip(".")
    # The parser's own name for a number with limits says nothing to a user.
    sentence = sentence.replace("a valid int range", "a whole number")
    return Failure("usage", sentence, f"{command} --help", USAGE)


def _exit_code(error: Exception) -> int:
    """Tell what the master found wrong with what it was asked from what could not be done."""
    return USAGE if getattr(error, "code", "") == "invalid" else FAILED


def _code(error: Exception) -> str:
    """Name an error's class the way codes are written: PortTaken -> port-taken."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z]|$)|[A-Z][a-z0-9]*", type(error).__name__)
    return "-".join(word.lower() for word in words if word != "Error") or "error"


def _detail(error: Exception) -> str:
    """Return the last log lines that some errors carry (a failed build, a dead container)."""
    log = getattr(error, "log", "")
    return log if isinstance(log, str) else ""
