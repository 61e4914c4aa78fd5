"""How the launcher starts a process: the search of a shell, and what the child is given.

Imported by the launcher alone: like launcher_main.py it must bring nothing along.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` brings along 1 MB of enums
import errno
import os

Action = tuple[int, int, int] | tuple[int, int, str, int, int]
"""One of the things that a child does to its descriptors before it becomes the job."""

_SIGNALS = tuple(_signal.valid_signals())

# A search goes on after these; what else it met is what it then fails with.
_GO_ON = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)


def spawn(argv: tuple[str, ...], environ: dict[str, str], actions: tuple[Action, ...]) -> int:
    """Starts the first process as the leader of a group; the search is that of a shell."""
    # Not the exception: with what it refers to it would never be freed.
    problem = errno.ENOENT
    name = argv[0]
    for path in (name,) if "/" in name else _candidates(name, environ.get("PATH", "")):
        try:
            return _start(path, argv, environ, actions)
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                # A script without a first line that says who reads it.
                return _start("/bin/sh", ("sh", path, *argv[1:]), environ, actions)
            if error.errno not in _GO_ON:
                raise
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                problem = error.errno
    raise OSError(problem, os.strerror(problem))


def _candidates(name: str, search: str) -> list[str]:
    places = [f"{folder or '.'}/{name}" for folder in search.split(":")] if name else []
    # To try them all by starting would cost a process each.
    return [place for place in places if os.access(place, os.F_OK)]


def _start(
    path: str, argv: tuple[str, ...], environ: dict[str, str], actions: tuple[Action, ...]
) -> int:
    # Named, they cost one call each in the child; else two, as what they are is looked up first.
    return os.posix_spawn(
        path,
        argv,
        environ,
        file_actions=actions,
        # Not a session of its own: for each of those the kernel makes a group of its scheduler.
        setpgroup=0,
        setsigmask=(),
        setsigdef=_SIGNALS,
    )


def held(data: bytes) -> int:
    """A descriptor to read the data from."""
    # Not a pipe: nobody would have to keep feeding it.
    fd = os.memfd_create("stdin", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
