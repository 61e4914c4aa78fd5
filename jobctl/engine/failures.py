"""What went wrong, as one sentence and the next command: the engine's refusals and silences.

Pure: takes status codes, texts and exceptions apart, raises nothing itself.
"""

import re
from collections.abc import Iterator

from jobctl.engine.errors import (
    Conflict,
    EngineDenied,
    EngineError,
    EngineUnreachable,
    NotFound,
    PortTaken,
)

_BIND_FAILED = re.compile(r"port is already allocated|address already in use")
_ADDRESS = re.compile(r"(\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:]*\]):(\d+)")

# Refusals whose text alone does not tell the user what to do next.
_HINTS = (
    ("bind source path does not exist", "create that folder on the engine's host"),
    ("overlaps with other one", "choose another network.subnet in cluster.yaml"),
    ("non-overlapping ipv4 address pool", "docker network prune"),
    ("no space left on device", "docker system df"),
    ("no such image", "jobctl up --build"),
)


def refused(status: int, text: str, what: str) -> EngineError:
    """Name an HTTP error answer of the engine to an attempt at ``what`` ("start container x")."""
    reason = " ".join(text.split()).rstrip(".")
    if _BIND_FAILED.search(reason):
        return _port_taken(reason, what)
    message = f"Could not {what}: {reason or f'the engine answered {status}'}."
    hint = next((hint for sign, hint in _HINTS if sign in reason.lower()), "")
    if status == 404:
        return NotFound(message, hint)
    # Engine 20.10 answers 403, not 409, for a network that still has running members.
    if status == 409 or "has active endpoints" in reason:
        return Conflict(message, hint)
    return EngineError(message, hint)


def _port_taken(reason: str, what: str) -> PortTaken:
    found = _ADDRESS.search(reason)
    if found is None:
        return PortTaken(f"Could not {what}: {reason}.", "ss -ltnp")
    host, port = found[1], int(found[2])
    return PortTaken(
        f"Could not {what}: port {port} on {host} is already in use.",
        f"choose another port, or see who has it: ss -ltnp 'sport = :{port}'",
        port,
    )


def silent(error: BaseException, url: str, source: str) -> EngineError:
    """Name a connection that failed, with the endpoint and what named it."""
    where = f"{url} ({source})"
    cause = _os_error(error)
    if isinstance(cause, PermissionError):
        return EngineDenied(
            f"This user may not use the Docker engine at {where}.",
            "sudo usermod -aG docker $USER and log in again, or run as root",
        )
    if isinstance(cause, FileNotFoundError):
        reason = "there is no such socket"
    elif isinstance(cause, ConnectionRefusedError):
        reason = "nothing listens there"
    else:
        reason = " ".join(str(cause or error).split())
    return EngineUnreachable(f"No Docker engine answers at {where}: {reason}.", "jobctl doctor")


def _os_error(error: BaseException) -> OSError | None:
    """Find the system's own error: the SDK and its HTTP layers each wrap it once more."""
    # ConnectionError of the HTTP layers is itself an OSError without errno: only one with counts.
    return next((e for e in _chain(error) if isinstance(e, OSError) and e.errno), None)


def _chain(error: BaseException | None, depth: int = 8) -> Iterator[BaseException]:
    if error is None or depth == 0:
        return
    yield error
    for inner in (*error.args, error.__cause__, error.__context__):
        if isinstance(inner, BaseException):
            yield from _chain(inner, depth - 1)
