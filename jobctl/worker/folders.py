"""The folders of one attempt: made before it, sealed after it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .settings import JobUser
from .trees import sweep, take_file


@dataclass(frozen=True)
class AttemptFolder:
    """Where one attempt's log and outputs are. `kept` is False if there was no room."""

    path: Path
    output: Path
    kept: bool = True

    @property
    def log(self) -> Path:
        """All that the attempt wrote to stdout and stderr."""
        return self.path / "log"

    @property
    def index(self) -> Path:
        """Times and offsets of the log."""
        return self.path / "log.idx"


def prepare(
    jobs: Path, job_id: str, attempt: int, user: JobUser | None, reader_gid: int | None
) -> AttemptFolder:
    """Makes <job>/<attempt>/output; a job may pass through the upper two but not list them."""
    folder = prepare_log(jobs, job_id, attempt, reader_gid)
    make_output(folder, user)
    return folder


def prepare_log(jobs: Path, job_id: str, attempt: int, reader_gid: int | None) -> AttemptFolder:
    """Makes <job>/<attempt>, where the log is; `make_output` may follow."""
    path = jobs / job_id / str(attempt)
    _make(path.parent, 0o751, (0, reader_gid))
    _make(path, 0o751, (0, reader_gid))
    return AttemptFolder(path, path / "output")


def make_output(folder: AttemptFolder, user: JobUser | None) -> None:
    """Makes the output folder and gives it to the job."""
    _make(folder.output, 0o700, (user.uid, user.gid) if user is not None else (0, None))


def prepare_without_room(path: Path, scratch: Path, user: JobUser | None) -> AttemptFolder:
    """A working folder in the scratch space, for a job that starts on a full disk."""
    output = scratch / f"jobctl-{path.parent.name}-{path.name}"
    # Anybody can make things here: what is there already must not be trusted.
    output.mkdir(0o700)
    if user is not None:
        os.chown(output, user.uid, user.gid)
    return AttemptFolder(path, output, kept=False)


def _make(path: Path, mode: int, owner: tuple[int, int | None]) -> None:
    with suppress(FileExistsError):
        path.mkdir(0o700)
    # The mode first: a folder given away can no longer be changed without CAP_FOWNER.
    uid, gid = owner
    path.chmod(mode)
    if gid is not None:
        os.chown(path, uid, gid)


def seal(folder: AttemptFolder, reader_gid: int | None) -> None:
    """Takes the outputs from the job: nobody can change them from here on.

    Removes what is neither file nor folder, symlinks that lead out, and an empty output
    folder. Raises OSError if something could not be taken.
    """
    parent = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        empty = sweep(parent, "output", reader_gid, _sealer(reader_gid))
        if empty:
            os.rmdir("output", dir_fd=parent)
    finally:
        os.close(parent)


def remove_if_empty(folder: AttemptFolder) -> None:
    """Removes the folders of an attempt that left nothing, neither output nor log."""
    with suppress(OSError):  # not empty
        folder.path.rmdir()
        folder.path.parent.rmdir()


def _sealer(gid: int | None) -> Callable[[int, os.DirEntry[str], int], None]:
    def seal_entry(parent: int, entry: os.DirEntry[str], depth: int) -> None:
        if entry.is_file(follow_symlinks=False):
            take_file(parent, entry.name, gid)
        elif entry.is_symlink() and stays_inside(os.readlink(entry.name, dir_fd=parent), depth):
            if gid is not None:
                os.chown(entry.name, 0, gid, dir_fd=parent, follow_symlinks=False)
        else:
            os.unlink(entry.name, dir_fd=parent)

    return seal_entry


def stays_inside(target: str, depth: int) -> bool:
    """Whether a symlink `depth` folders below the output's top cannot lead out of it.

    `..` counts only at the front: behind a name it goes up from wherever that name leads.
    """
    parts = PurePosixPath(target).parts
    if not parts or target.startswith("/"):
        return False
    up = next((n for n, part in enumerate(parts) if part != ".."), len(parts))
    return up <= depth and ".." not in parts[up:]


def is_full(error: OSError) -> bool:
    """Whether there was no room (rather than a fault that will not pass)."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
