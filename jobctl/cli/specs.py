"""From the options of ``submit`` (and others) to job specs. Pure: no files, no network.

A spec is the JSON object of ``POST /jobs``; only what the user said is in it, the cluster's
defaults fill the rest.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from jobctl.cli.errors import UsageError
from jobctl.config.units import parse_duration

Spec = dict[str, Any]

PLACEHOLDER = "{}"
_ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def duration(value: str, option: str) -> float:
    """Read ``90``, ``90s``, ``1m30s`` or ``500ms`` as seconds."""
    try:
        return parse_duration(float(value) if re.fullmatch(r"[0-9]+([.][0-9]+)?", value) else value)
    except ValueError:
        hint = "write it like 500ms, 30s, 10m or 1h"
        raise UsageError(f"{option} {value!r} is not a length of time.", hint) from None


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


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """Read repeated ``KEY=VALUE`` options; a later one wins."""
    result: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {text!r} is not KEY=VALUE.", f"{option} NAME=value")
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
    """Read ``0-99`` (both ends included) or ``7``."""
    match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", value)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last:
        hint = "write the first and the last index, like 0-99"
        raise UsageError(f"--array {value!r} is not a range of indexes.", hint)
    return range(first, last + 1)


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
        _utf8(word, "The command")
    return ["sh", "-c", " ".join(argv)] if shell else list(argv)


def _utf8(text: str, what: str) -> None:
    """Refuse bytes that are not UTF-8: JSON, and so a job, cannot carry them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        hint = "list the names in another way, such as with find -inum"
        raise UsageError(f"{what} is not UTF-8: {text!r}.", hint) from None


def stdin_text(data: bytes) -> str:
    """Encode a job's standard input for JSON."""
    return base64.b64encode(data).decode("ascii")


def expand_array(spec: Spec, indexes: range, name: str) -> Iterator[Spec]:
    """Yield one spec per index, with ``{}`` replaced by it in its argv.

    ``name`` is what the array's jobs have in common.
    """
    argv: list[str] = spec["argv"]
    for index in indexes:
        words = [word.replace(PLACEHOLDER, str(index)) for word in argv]
        yield spec | {"argv": words, "array": name, "array_index": index}


def check_placeholder(argv: Sequence[str]) -> None:
    """Refuse a command in which ``--each`` would change nothing."""
    if not any(PLACEHOLDER in word for word in argv):
        raise UsageError(
            "--each needs a {} in the command, to be replaced by each line.",
            "jobctl submit --each files.txt -- sha256sum {}",
        )


def expand_each(spec: Spec, lines: Iterable[str], *, shell: bool) -> Iterator[Spec]:
    """Yield one spec per line that is not empty, with ``{}`` replaced in its argv.

    For a shell the line becomes ``$1`` and is never part of the script: a line such as
    ``$(rm -rf x)`` is then a word, not a command.
    """
    argv: list[str] = spec["argv"]
    for raw in lines:
        line = raw.rstrip("\r\n")
        if not line:
            continue
        _utf8(line, "A line of --each")
        if shell:
            script = argv[2].replace(PLACEHOLDER, '"$1"')
            yield spec | {"argv": ["sh", "-c", script, "sh", line]}
        else:
            yield spec | {"argv": [word.replace(PLACEHOLDER, line) for word in argv]}
