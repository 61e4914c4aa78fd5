"""Where the engine is: what DOCKER_HOST or the current Docker context names, else the default.

Resolved here and not by the SDK, because the user must be told which of them was followed, and
because the SDK falls back to the default socket when the named context does not exist.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobctl.engine.errors import EngineUnreachable

DEFAULT_SOCKET = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class Tls:
    """The client's certificate files for a TCP endpoint."""

    ca: Path
    cert: Path
    key: Path
    verify: bool


@dataclass(frozen=True)
class Endpoint:
    """An engine's address and what named it: ``DOCKER_HOST``, ``context NAME`` or ``default``."""

    url: str
    source: str
    tls: Tls | None = None


def resolve(env: Mapping[str, str], home: Path) -> Endpoint:
    """Follow the Docker CLI's order: DOCKER_HOST, DOCKER_CONTEXT, the current context, default.

    Raises EngineUnreachable when the context that is named does not exist or names no address.
    """
    folder = Path(env.get("DOCKER_CONFIG") or home / ".docker")
    if host := env.get("DOCKER_HOST"):
        return Endpoint(host, "DOCKER_HOST", _tls_of_environment(env, folder))
    name, namer = env.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    if not name:
        name, namer = _current_context(folder), str(folder / "config.json")
    if name in {"", "default"}:
        return Endpoint(DEFAULT_SOCKET, "default", _tls_of_environment(env, folder))
    return _context(folder / "contexts", name, namer)


def _tls_of_environment(env: Mapping[str, str], folder: Path) -> Tls | None:
    verify = bool(env.get("DOCKER_TLS_VERIFY"))
    certs = env.get("DOCKER_CERT_PATH")
    if not (verify or certs):
        return None
    return _tls(Path(certs) if certs else folder, verify=verify)


def _tls(folder: Path, *, verify: bool) -> Tls:
    return Tls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem", verify)


def _current_context(folder: Path) -> str:
    try:
        return str(_read(folder / "config.json").get("currentContext", ""))
    except (OSError, ValueError):
        return ""  # the CLI, too, treats a missing or broken file as "no context chosen"


def _context(contexts: Path, name: str, namer: str) -> Endpoint:
    # The CLI files each context under the SHA-256 of its name.
    digest = hashlib.sha256(name.encode()).hexdigest()
    try:
        endpoint = _read(contexts / "meta" / digest / "meta.json")["Endpoints"]["docker"]
        url = str(endpoint["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineUnreachable(
            f"The Docker context {name!r} that {namer} names does not exist or has no address.",
            "docker context ls, then docker context use NAME",
        ) from error
    certs = contexts / "tls" / digest / "docker"
    verify = not endpoint.get("SkipTLSVerify", False)
    return Endpoint(url, f"context {name}", _tls(certs, verify=verify) if certs.is_dir() else None)


def _read(path: Path) -> dict[str, Any]:
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise ValueError(f"{path} is not a JSON object")
    return data
