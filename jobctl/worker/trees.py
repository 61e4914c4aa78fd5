"""Taking a folder away from the job that owned it, without trusting anything in it.

The supervisor is UID 0 with CAP_CHOWN but without DAC_OVERRIDE: it can enter a job's
folder only after it has taken it over, and modes of 0000 keep even the owner out. So every
folder is held by O_PATH (needs no permission, follows no symlink), changed through
/proc/self/fd (that very inode, whatever its name means by then), and only then opened.
Once a folder is taken, nobody else can rename or swap what is in it.
"""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable

_SET_ID = stat.S_ISUID | stat.S_ISGID
_DIRECTORY = os.O_DIRECTORY | os.O_CLOEXEC

Visit = Callable[[int, "os.DirEntry[str]", int], None]
"""Called with the folder (fd), an entry that is no folder, and its depth (top: 0)."""


def take_file(parent: int, name: str, gid: int | None) -> None:
    """Makes a regular file root's, readable for `gid`; OSError if it is something else."""
    held = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        _take(held, gid, 0o640, stat.S_IFREG)
    finally:
        os.close(held)


def take_folder(parent: int, name: str, gid: int | None) -> int:
    """Makes a folder root's and opens it; the caller closes the descriptor."""
    flags = os.O_PATH | os.O_NOFOLLOW | _DIRECTORY
    held = os.open(name, flags, dir_fd=parent)
    try:
        _take(held, gid, 0o750, stat.S_IFDIR)
        return os.open(f"/proc/self/fd/{held}", os.O_RDONLY | _DIRECTORY)
    finally:
        os.close(held)


def _take(held: int, gid: int | None, mode: int, kind: int) -> None:
    found = os.fstat(held)
    if stat.S_IFMT(found.st_mode) != kind:
        raise OSError(f"not the kind of file it was: {held}")
    path = f"/proc/self/fd/{held}"
    if gid is not None:
        if kind == stat.S_IFREG and found.st_mode & _SET_ID:
            _clear_set_id(held, found)
        os.chown(path, 0, gid)
    os.chmod(path, mode)  # noqa: PTH101 - a descriptor, not a path


def _clear_set_id(held: int, found: os.stat_result) -> None:
    """As the owner: a chown that must clear these bits needs CAP_FOWNER."""
    subprocess.run(
        ["/bin/chmod", "0600", f"/proc/self/fd/{held}"],
        user=found.st_uid,
        group=found.st_gid,
        extra_groups=[],
        pass_fds=[held],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def sweep(parent: int, name: str, gid: int | None, visit: Visit, *, remove: bool = False) -> bool:
    """Takes the whole tree `name`, visiting all that is no folder; True if it is empty now.

    Goes back up by `..` with one open descriptor, so depth costs no descriptors. With
    `remove` every folder but the top one is removed after it was left.
    """
    here = take_folder(parent, name, gid)
    try:
        unvisited = [_list(here, 0, visit)]
        trail: list[str] = []
        while True:
            if unvisited[-1]:
                name = unvisited[-1].pop()
                below = take_folder(here, name, gid)
                here = _close_for(here, below)
                trail.append(name)
                unvisited.append(_list(here, len(trail), visit))
                continue
            unvisited.pop()
            if not trail:
                with os.scandir(here) as left:
                    return next(left, None) is None
            here = _close_for(here, os.open("..", os.O_RDONLY | _DIRECTORY, dir_fd=here))
            done = trail.pop()
            if remove:
                os.rmdir(done, dir_fd=here)
    finally:
        os.close(here)


def _close_for(old: int, new: int) -> int:
    os.close(old)
    return new


def _list(folder: int, depth: int, visit: Visit) -> list[str]:
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.name)
            else:
                visit(folder, entry, depth)
    return below
