"""Finding the engine's socket on the engine's own host, which need not be this one.

On another host a container is the only eye: it mounts a candidate, and tries what the controller
will do. Where the engine is plainly at home here, a look at the file says as much, at no cost.
"""

import os
import stat
import time
from pathlib import Path
from secrets import token_hex

from jobctl.cluster import labels
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.secrets import CONTROLLER_UID
from jobctl.cluster.spec import Socket
from jobctl.engine.errors import EngineError
from jobctl.engine.model import ContainerSpec, EngineInfo, Mount
from jobctl.engine.protocol import Engine

USUAL = "/var/run/docker.sock"

_INSIDE = "/probe/socket"
_PATIENCE = 30.0
_POLL = 0.02
# What gives a container other users than the host's, or other rights: then only trying tells.
_CONFINING = ("rootless", "userns", "selinux")
_GROUP_MAY = stat.S_IRGRP | stat.S_IWGRP
_TRY = """\
import json, os, socket, sys
uid = int(sys.argv[2])
gid = os.stat(sys.argv[1]).st_gid
os.setgroups([gid]); os.setgid(uid); os.setuid(uid)
with socket.socket(socket.AF_UNIX) as engine:
    engine.connect(sys.argv[1])
    engine.sendall(b"GET /info HTTP/1.0\\r\\n\\r\\n")
    said = engine.makefile("rb").read()
print(gid, json.loads(said.partition(b"\\r\\n\\r\\n")[2])["ID"])
"""


def find_socket(engine: Engine, project: str, image: str, configured: str | None) -> Socket:
    """Return the socket that a container without privileges can use, and the group it needs.

    ``configured`` is `controller.socket` of cluster.yaml, ``image`` any that has Python. Raises
    ClusterError when there is none.
    """
    info = engine.info()
    places = candidates(configured, info.endpoint)
    for path in places:
        found = look_here(info, path) or _try_there(engine, project, image, path, info.id)
        if found is not None:
            return found
    raise ClusterError(
        "No container can use the engine's socket: on the engine's host it is not at "
        f"{' or '.join(places)}, or its group may not use it.",
        "set `controller: {run: host}` in cluster.yaml and then run `jobctl controller run`, or "
        "`controller: {run: off}`; `controller.socket` names another path",
    )


def candidates(configured: str | None, endpoint: str) -> list[str]:
    """Return where the socket may be: as configured, else as this client reaches it, else usual."""
    if configured:
        return [configured]
    scheme, _, path = endpoint.partition("://")
    mine = [path] if scheme == "unix" and path else []
    return list(dict.fromkeys([*mine, USUAL]))


def look_here(info: EngineInfo, path: str) -> Socket | None:
    """Return the very socket that this client uses; None when it takes more than a look to know."""
    machine = os.uname()
    at_home = (info.host, info.kernel) == (machine.nodename, machine.release)
    scheme, _, mine = info.endpoint.partition("://")
    if not at_home or scheme != "unix" or Path(mine).resolve() != Path(path).resolve():
        return None
    if any(way in option for option in info.security for way in _CONFINING):
        return None
    try:
        found = os.stat(path)  # noqa: PTH116 - a mode and a group, not a path's properties
    except OSError:
        return None
    usable = stat.S_ISSOCK(found.st_mode) and found.st_mode & _GROUP_MAY == _GROUP_MAY
    return Socket(path, found.st_gid) if usable else None


def _try_there(
    engine: Engine, project: str, image: str, path: str, engine_id: str
) -> Socket | None:
    # A name of its own: whatever else is called so is not ours.
    name = f"{project}-probe-{token_hex(4)}"
    spec = ContainerSpec(
        name=name,
        image=image,
        command=("python3", "-I", "-S", "-c", _TRY, _INSIDE, str(CONTROLLER_UID)),
        network="none",
        aliases=(),
        cpus=1.0,
        memory=64 << 20,
        pids=16,
        # An instance of a service that no cluster has: any `up` or `down` removes it.
        labels=labels.for_container(
            project, "probe", 1, pool="", image=image, config_hash="", file=""
        ),
        health=None,
        mounts=(Mount("bind", path, _INSIDE, read_only=True),),
        user="0:0",
        cap_add=("SETUID", "SETGID"),
        restart="no",
    )
    try:
        engine.create(spec)
    except EngineError:
        return None  # there is no such path on that host
    try:
        engine.start(name)
        group, _, found = _said(engine, name).strip().partition(" ")
    finally:
        engine.remove(name, force=True)
    # Another engine may be at home in the usual place.
    return Socket(path, int(group)) if group.isdigit() and found == engine_id else None


def _said(engine: Engine, name: str) -> str:
    """Wait for the container's end; return what it printed."""
    deadline = time.monotonic() + _PATIENCE
    while (detail := engine.inspect(name)) is not None and detail.state in ("created", "running"):
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL)
    return b"".join(engine.logs(name)).decode(errors="replace")
