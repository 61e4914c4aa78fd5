"""Files as tar archives, with owners and modes, and back: pure. What goes through the engine."""

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """A file, or with ``data`` None a folder, at a path without a leading slash."""

    path: str
    data: bytes | None
    uid: int
    gid: int
    mode: int


def pack(files: Iterable[File]) -> bytes:
    """Return a tar archive of the files, in their order; equal files give equal bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.uid, entry.gid, entry.mode = file.uid, file.gid, file.mode
            if file.data is None:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            else:
                entry.size = len(file.data)
                archive.addfile(entry, io.BytesIO(file.data))
    return buffer.getvalue()


def unpack(data: bytes | None) -> dict[str, bytes]:
    """Return the regular files of an archive as path → content; none for None.

    An archive that breaks off gives the files before the break.
    """
    files: dict[str, bytes] = {}
    if not data:
        return files
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                source = archive.extractfile(entry) if entry.isfile() else None
                if source is not None:
                    files[entry.name.removeprefix("./").lstrip("/")] = source.read()
    except tarfile.TarError:
        pass
    return files
