"""From the options of ``submit`` (and others) to job specs. Pure: no files, no network.

A spec is the JSON object of ``POST /jobs``; only what the user said is in it, the cluster's
defaults fill the rest.
"""

import base64
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from jobctl.cli.errors import UsageError
from jobctl.config.units import parse_count_or_share, parse_duration

Spec = dict[str, Any]

PLACEHOLDER = "{}"
RETRY_CAUSES = ("exit", "signal", "timeout", "oom")
DEAD_CAUSES = (*RETRY_CAUSES, "rejected", "worker-lost", "node-lost", "chaos")
_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def duration(value: str, option: str) -> float:
    """Read ``90``, ``90s``, ``1m30s`` or ``500ms`` as seconds."""
    try:
        return parse_duration(float(value) if re.fullmatch(r"[0-9]+([.][0-9]+)?", value) else value)
    except ValueError:
        hint = "write it like 500ms, 30s, 10m or 1h"
        raise UsageError(f"{option} {value!r} is not a length of time.", hint) from None


def count_or_share(value: str, option: str = "--max-unavailable") -> int | str:
    """Read ``2`` or ``25%``."""
    try:
        return parse_count_or_share(int(value) if re.fullmatch(r"-?[0-9]+", value) else value)
    except ValueError as error:
        raise UsageError(f"{option} {error}; it is {value!r}.", f"jobctl up {option} 25%") from None


def due(value: str, option: str = "--at") -> str:
    """Read a time to come as ISO 8601 with its zone (the local one if it names none)."""
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        hint = "write a time like 2026-01-31T12:00, or use --delay 10m"
        raise UsageError(f"{option}: {value!r} is not a time.", hint) from None
    return (parsed if parsed.tzinfo else parsed.astimezone()).isoformat()


def moment(value: str, now: float, option: str = "--since") -> float:
    """Read a past time as epoch seconds: an age (``10m``) or an ISO time (local without a zone)."""
    try:
        parsed = datetime.fromisoformat(value) if "-" in value or ":" in value else None
    except ValueError:
        hint = "write an age like 10m, or a time like 2026-01-31T12:00"
        raise UsageError(f"{option}: {value!r} is not a time.", hint) from None
    if parsed is None:
        return now - duration(value, option)
    return (parsed if parsed.tzinfo else parsed.astimezone()).astimezone(UTC).timestamp()


def pairs(values: Sequence[str], option: str, example: str = "NAME=value") -> dict[str, str]:
    """Read repeated ``KEY=VALUE`` options; a later one wins."""
    result: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            message = f"{option} {text!r} has no = between its name and its value."
            raise UsageError(message, f"{option} {example}")
        result[key] = value
    return result


def environment(values: Sequence[str]) -> dict[str, str]:
    """Read ``--env KEY=VALUE``; keys are names that a shell could set."""
    env = pairs(values, "--env")
    for key in env:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise UsageError(f"--env {key!r} is not a variable name.", "--env NAME=value")
    return env


def array(value: str) -> range:
    """Read a number of jobs (``100``: 0 to 99) or their indexes (``0-99``, both ends included)."""
    match = re.fullmatch(r"(?:([0-9]{1,9})-)?([0-9]{1,9})", value)
    first, end = (0, 0) if not match else (int(match[1] or 0), int(match[2]) + bool(match[1]))
    if first >= end:
        hint = "write how many, like 100, or the first and the last index, like 0-99"
        raise UsageError(f"--array {value!r} is neither a number nor a range.", hint)
    return range(first, end)


def replicas(values: Sequence[str]) -> dict[str, int]:
    """Read ``5``, ``worker=5``, ``gpu=2`` or ``worker-gpu=2`` as pool -> replicas.

    A number alone, like the service ``worker``, is the pool ``default``. Whether a pool exists is
    for the cluster to say.
    """
    wanted: dict[str, int] = {}
    for text in values:
        name, equals, count = text.rpartition("=")
        if not re.fullmatch(r"[0-9]{1,6}", count) or (equals and not name):
            hint = "jobctl scale worker=5"
            raise UsageError(f"{text!r} does not say how many workers.", hint)
        pool = "default" if name in ("", "worker") else name.removeprefix("worker-")
        if pool in wanted:
            raise UsageError(f"The pool {pool!r} is given twice.", f"jobctl scale {text}")
        wanted[pool] = int(count)
    return wanted


def is_job(text: str) -> bool:
    """Tell a job's id (26 characters, upper case) from the name of a service or worker."""
    return _ID.fullmatch(text) is not None


def command(argv: Sequence[str], *, shell: bool) -> list[str]:
    """Return the argv to run: as given, or one line for ``sh -c`` when a shell was asked for."""
    if not argv:
        raise UsageError("There is no command to run.", "jobctl submit -- echo hi")
    if argv[0] == "":
        raise UsageError("The command's name is empty.", "jobctl submit -- echo hi")
    for word in argv:
        utf8(word, "The command")
    return ["sh", "-c", " ".join(argv)] if shell else list(argv)


def utf8(text: str, what: str) -> None:
    """Refuse bytes that are not UTF-8: JSON, and so a job, cannot carry them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        hint = "list the names in another way, such as with find -inum"
        raise UsageError(f"{what} is not UTF-8: {text!r}.", hint) from None


def stdin_text(data: bytes) -> str:
    """Encode a job's standard input for JSON."""
    return base64.b64encode(data).decode("ascii")


def arguments(values: Sequence[str]) -> dict[str, Any]:
    """Read repeated ``--arg NAME=VALUE``: JSON if the value is some, text otherwise.

    ``{}`` stays as it is: it stands for the index of ``--array`` or the line of ``--each``.
    """
    given = pairs(values, "--arg", "width=64")
    if len(given) < len(values):
        raise UsageError("--arg names a parameter twice.", "leave out one of them")
    for name, text in given.items():
        if not name.isidentifier():
            raise UsageError(f"--arg {name!r} is not a parameter's name.", "--arg width=64")
        utf8(text, f"--arg {name}")
    return {name: text if text == PLACEHOLDER else _value(text) for name, text in given.items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _no_number(name: str) -> Any:
    # NaN and Infinity are no JSON, whatever Python's reader thinks of them.
    raise ValueError(name)


def retry_rules(values: Sequence[str]) -> dict[str, Any]:
    """Read repeated ``--retry-on CAUSE[:CODE]=RULE`` as rules by cause (and exit code)."""
    rules: dict[str, Any] = {}
    for cause, text in pairs(values, "--retry-on", "oom=retry").items():
        word, _, queue = text.partition(":")
        if not (text in ("retry", "fail") or (word == "queue" and queue)):
            hint = "--retry-on oom=queue:big, --retry-on exit:64=fail or --retry-on timeout=retry"
            raise UsageError(f"--retry-on {cause}: there is no rule {text!r}.", hint)
        rule = {"queue": queue} if queue else text
        name, coded, code = cause.partition(":")
        if name not in RETRY_CAUSES or (coded and name != "exit"):
            hint = f"the causes are {', '.join(RETRY_CAUSES)} and, by exit code, exit:75"
            raise UsageError(f"--retry-on knows no cause {cause!r}.", hint)
        if coded and not re.fullmatch(r"[0-9]{1,3}", code):
            hint = "--retry-on exit:75=retry"
            raise UsageError(f"--retry-on {cause}: {code!r} is no exit code.", hint)
        if name == "exit":
            rules.setdefault(name, {})[code if coded else "default"] = rule
        else:
            rules[name] = rule
    return rules


def dead_cause(value: str | None) -> str | None:
    """Refuse what no job ever fails of, as it would only find nothing."""
    if value is not None and value not in DEAD_CAUSES:
        message = f"There is no cause {value!r} that jobs fail of."
        raise UsageError(message, f"use one of {', '.join(DEAD_CAUSES)}")
    return value


def parents(values: Sequence[str]) -> list[str]:
    """Read repeated ``--after ID`` (or ``ID,ID``): jobs and arrays."""
    ids = [one for value in values for one in value.split(",") if one]
    for one in ids:
        if not is_job(one):
            raise UsageError(f"--after {one!r} is no id of a job or array.", "jobctl jobs")
    return ids
