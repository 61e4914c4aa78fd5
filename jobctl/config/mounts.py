"""Host folders that containers see: resolved, and never a way to the engine's socket."""

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
    # A link may lead there by another name; on another machine's engine it cannot be followed.
    for way in {found, str(Path(found).resolve())}:
        if way in _SOCKET_FOLDERS or way.endswith(_SOCKETS):
            raise ValueError(f"would hand the engine's socket, and so the host, {receiver}")
    return found


def holds(folder: str, socket: str) -> bool:
    """Tell whether a folder of the host is, or is above, a socket."""
    return PurePosixPath(socket).is_relative_to(folder)
