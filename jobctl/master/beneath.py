"""Opening files that lie beneath a folder and nowhere else.

A job owns its output folder while it runs and may leave symbolic links, FIFOs or devices in it.
So a path is opened component by component relative to the folder already held open: no link is
followed anywhere on the way, and nothing but a regular file is ever opened for reading.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO must not wait for its writer; it has no effect on regular files.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotBeneathError(LookupError):
    """There is no such regular file or folder beneath the root, or it may not be read."""


def split(path: str) -> tuple[str, ...]:
    """Split a relative path into components; NotBeneathError for one that could climb out."""
    parts = tuple(path.split("/"))
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise NotBeneathError(path)
    return parts


def open_file(root: Path, parts: Sequence[str]) -> int:
    """Return a descriptor of the regular file ``parts`` beneath ``root``; the caller closes it."""
    with folder(root, parts[:-1]) as parent:
        try:
            fd = os.open(parts[-1], _FILE, dir_fd=parent)
        except (OSError, ValueError) as error:
            raise NotBeneathError("/".join(parts)) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotBeneathError("/".join(parts))
    return fd


@contextmanager
def folder(root: Path, parts: Iterable[str]) -> Iterator[int]:
    """Hold the folder ``parts`` beneath ``root`` open; ``root`` itself is trusted."""
    fd = _open_folder(str(root), None)
    try:
        for part in parts:
            deeper = _open_folder(part, fd)
            os.close(fd)
            fd = deeper
        yield fd
    finally:
        os.close(fd)


def _open_folder(name: str, parent: int | None) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except (OSError, ValueError) as error:
        raise NotBeneathError(name) from error


def walk(root: Path, parts: Sequence[str], limit: int) -> tuple[list[tuple[str, int]], bool]:
    """List (relative path, size in bytes) of the regular files beneath a folder, sorted by path.

    Stops after ``limit`` files or folders; the second of the pair tells whether these are all. A
    folder that does not exist or may not be read counts as empty.
    """
    found: list[tuple[str, int]] = []
    pending: list[tuple[str, ...]] = [()]
    folders = 0
    while pending and len(found) <= limit and folders < limit:
        folders += 1
        inner = pending.pop()
        try:
            with folder(root, (*parts, *inner)) as fd, os.scandir(fd) as entries:
                for entry in entries:
                    path = (*inner, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(path)
                    elif entry.is_file(follow_symlinks=False):
                        found.append(("/".join(path), entry.stat(follow_symlinks=False).st_size))
                        if len(found) > limit:
                            break  # one more than is shown, to know that there is more
        except (NotBeneathError, OSError):
            continue
    return sorted(found[:limit]), not pending and len(found) <= limit
