"""Host folders that containers see: resolved, and never a way to the engine's socket."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pydantic import ValidationInfo

from jobctl.config.types import absolute

# Folders that hold the engine's socket: who reaches it owns the host.
_SOCKET_FOLDERS = ("/", "/run", "/var/run")
_SOCKETS = ("docker.sock", "podman.sock", "containerd.sock")


def host_folder(path: str, info: ValidationInfo, receiver: str) -> str:
    """Resolve a host path; raises ValueError when it leads to the engine's socket.

    ``receiver`` says who would get that: ``to every job``.
    """
    found = absolute(path, info)
    # Without a context the config comes from a stored spec, perhaps of another machine's file:
    # what lies on this one says nothing.
    ways = _ways(Path(found)) if info.context else [found]
    if any(way in _SOCKET_FOLDERS or way.endswith(_SOCKETS) for way in ways):
        raise ValueError(f"would hand the engine's socket, and so the host, {receiver}")
    return found


def holds(folder: str, socket: str) -> bool:
    """Tell whether a folder of the host is, or is above, a socket."""
    return PurePosixPath(socket).is_relative_to(folder)


def _ways(path: Path) -> Iterator[str]:
    """Name a path as it is written, as its links lead, and the sockets that lie in it."""
    yield str(path)
    yield str(path.resolve())
    yield from (str(path / name) for name in _SOCKETS if (path / name).is_socket())
