"""Finding the engine's socket on the engine's own host, which need not be this one.

A container is the only eye that looks from there: it mounts a candidate and tells its group.
"""

import time
from collections.abc import Sequence

from jobctl.cluster import labels, owner
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.spec import Socket
from jobctl.engine.errors import Conflict, EngineError, NotFound
from jobctl.engine.model import ContainerSpec, Mount
from jobctl.engine.protocol import Engine

USUAL = "/var/run/docker.sock"

_INSIDE = "/probe/socket"
_PATIENCE = 30.0
_POLL = 0.02


def find_socket(engine: Engine, project: str, image: str, candidates: Sequence[str]) -> Socket:
    """Return the first candidate that is a socket; ``image`` is any that has ``stat``.

    Raises ClusterError when none is.
    """
    for path in candidates:
        found = _look(engine, project, image, path)
        if found is not None:
            return found
    raise ClusterError(
        f"The engine's socket is at none of {', '.join(candidates)} on its host.",
        "set controller.socket in cluster.yaml, or controller.run: host",
    )


def candidates(configured: str | None, endpoint: str) -> list[str]:
    """Return where the socket may be: as configured, else as this client reaches it, else usual."""
    if configured:
        return [configured]
    scheme, _, path = endpoint.partition("://")
    mine = [path] if scheme == "unix" and path else []
    return list(dict.fromkeys([*mine, USUAL]))


def _look(engine: Engine, project: str, image: str, path: str) -> Socket | None:
    name = f"{project}-probe"
    spec = ContainerSpec(
        name=name,
        image=image,
        command=("stat", "-L", "-c", "%F:%g", _INSIDE),
        network="none",
        aliases=(),
        cpus=0.5,
        memory=16 * 1024 * 1024,
        pids=16,
        labels=labels.for_seed(project, owner.current()),
        health=None,
        mounts=(Mount("bind", path, _INSIDE, read_only=True),),
        restart="no",
    )
    try:
        engine.remove(name, force=True)  # one that died half-way left it
        engine.create(spec)
    except Conflict:
        raise
    except EngineError:
        return None  # there is no such path on that host
    try:
        engine.start(name)
        kind, _, group = _said(engine, name).strip().partition(":")
    except NotFound:
        return None
    finally:
        engine.remove(name, force=True)
    return Socket(path, int(group)) if kind == "socket" and group.isdigit() else None


def _said(engine: Engine, name: str) -> str:
    """Wait for the container's end; return what it printed."""
    deadline = time.monotonic() + _PATIENCE
    while (detail := engine.inspect(name)) is not None and detail.state in ("created", "running"):
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL)
    return b"".join(engine.logs(name)).decode(errors="replace")
