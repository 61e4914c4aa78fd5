"""The checks of ``doctor``: each looks at one thing and says what to do about it."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jobctl import cluster
from jobctl.cli import text
from jobctl.cli.context import Session
from jobctl.cli.errors import failure

if TYPE_CHECKING:
    from jobctl.engine.model import EngineInfo

OLDEST_API = (1, 41)
ROOM = 2 << 30
"""Free bytes that images, volumes and logs want."""
START_ENGINE = "start the engine (systemctl start docker), or set DOCKER_HOST to one that runs"


@dataclass(frozen=True)
class Check:
    """One line of the report; ``hint`` is the next command, "" when all is well."""

    about: str
    state: Literal["ok", "warn", "fail"]
    said: str
    hint: str = ""


def examine(session: Session) -> Iterator[Check]:
    """Look at everything that the cluster needs, one thing after the other."""
    file = _guarded("file", lambda: _file(session))
    yield file
    engine = _guarded("engine", lambda: _engine(session))
    yield engine
    if engine.state != "fail":
        yield _guarded("cgroup", lambda: _cgroup(session.engine().info()))
    if file.state == "ok":
        yield _guarded("images", lambda: _images(session, reached=engine.state != "fail"))
    yield _guarded("disk", _disk)
    if file.state == "ok" and engine.state != "fail":
        yield _guarded("cluster", lambda: _cluster(session))
        yield _guarded("data", lambda: _data(session))
        yield _guarded("port", lambda: _port(session))


def _guarded(about: str, look: Callable[[], Check]) -> Check:
    """Turn whatever stands in a check's way into its finding."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a doctor reports, whatever it meets
        found = failure(error)
        # What the engine's errors advise is what runs just now.
        hint = START_ENGINE if found.hint == "jobctl doctor" else found.hint
        return Check(about, "fail", " ".join(found.message.split()), hint)


def _file(session: Session) -> Check:
    config = session.config
    count = sum(pool.replicas for pool in config.workers.values())
    said = f"{session.path}: project {config.name}, {text.counted(count, 'worker')}"
    return Check("file", "ok", said)


def _engine(session: Session) -> Check:
    info = session.engine().info()
    said = f"{info.version} (API {info.api}) at {info.endpoint} ({info.source}), "
    said += f"{info.cpus} CPUs, {text.size(info.memory)}"
    if tuple(int(part) for part in info.api.split(".")) < OLDEST_API:
        hint = "install Docker 20.10 or newer"
        return Check("engine", "fail", f"{said}; older than what jobctl speaks", hint)
    return Check("engine", "ok", said)


def _cgroup(info: "EngineInfo") -> Check:
    if info.cgroup:
        return Check("cgroup", "ok", f"version {info.cgroup.removeprefix('v')}")
    hint = "start the engine with a cgroup driver; without one no cap holds"
    return Check("cgroup", "warn", "the engine does not say how it limits containers", hint)


def _images(session: Session, *, reached: bool) -> Check:
    from jobctl.cluster.image_tags import image_tags  # noqa: PLC0415 - pulls in the recipes
    from jobctl.cluster.pool_images import pool_tags  # noqa: PLC0415 - and the pools' code

    named = image_tags(session.config)
    tags: dict[str, str] = {str(role): tag for role, tag in named.items()}
    if reached:
        tags |= pool_tags(session.engine(), session.config, tags["worker"])
        missing = sorted(role for role, tag in tags.items() if session.engine().image(tag) is None)
        if not missing:
            return Check("images", "ok", "all built")
    tool = next((name for name in ("mmdebstrap", "debootstrap") if shutil.which(name)), None)
    source = session.config.build.source
    if source == "registry":
        return Check("images", "ok", "to be built from the registry's images at the next up")
    if tool is not None:
        ways = "Debian packages" if source == "debian" else "a registry, or else Debian packages"
        return Check("images", "ok", f"to be built from {ways} ({tool}) at the next up")
    if source == "debian":
        hint = "apt-get install mmdebstrap"
        return Check("images", "fail", "to be built from Debian packages, without a tool", hint)
    said = "to be built from a registry; should none answer, there is no tool for the Debian way"
    return Check("images", "warn", said, "apt-get install mmdebstrap")


def _disk() -> Check:
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home())
    free = shutil.disk_usage(home if home.exists() else Path("/")).free
    said = f"{text.size(free)} free"
    return (
        Check("disk", "ok", said)
        if free >= ROOM
        else Check("disk", "warn", f"{said}, {text.size(ROOM)} are wanted", "docker system df")
    )


def _port(session: Session) -> Check:
    port = session.config.master.port
    rows = cluster.ps(session.project, session.engine())
    running = [row for row in rows if row.service == "master" and row.state == "running"]
    if any(f"127.0.0.1:{port}->" in row.ports for row in running):
        return Check("port", "ok", f"127.0.0.1:{port} is the master's")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            said = f"127.0.0.1:{port} is taken by somebody else"
            return Check("port", "fail", said, "set another master.port in the cluster file")
    return Check("port", "ok", f"127.0.0.1:{port} is free")


def _data(session: Session) -> Check:
    torn = cluster.torn_at_start(session.engine(), session.project)
    if torn:
        return Check("data", "warn", torn, "jobctl logs redis")
    return Check("data", "ok", "Redis' log tells of no torn file")


def _cluster(session: Session) -> Check:
    rows = cluster.ps(session.project, session.engine())
    if not rows:
        return Check("cluster", "ok", f"{session.project} is not up")
    broken = [row.name for row in rows if row.state != "running" or row.health == "unhealthy"]
    said = f"{session.project}: {len(rows) - len(broken)} of {len(rows)} containers run"
    if broken:
        return Check("cluster", "fail", f"{said}; not {', '.join(broken)}", "jobctl up")
    if not any(row.service == "master" for row in rows):
        return Check("cluster", "fail", f"{said}; there is no master", "jobctl up")
    session.client.stats()
    return Check("cluster", "ok", f"{said}, the master answers")
