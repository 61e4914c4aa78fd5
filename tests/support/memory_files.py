"""Files in memory, put and fetched as tar archives the way the engine does it."""

import io
import posixpath
import tarfile
from copy import copy
from dataclasses import dataclass, field


@dataclass
class FileTree:
    """One file system: a volume's, or a container's own."""

    entries: dict[str, tuple[tarfile.TarInfo, bytes]] = field(default_factory=dict)

    def has_folder(self, path: str) -> bool:
        if path == "/":
            return True
        return path in self.entries and self.entries[path][0].isdir()

    def put(self, path: str, info: tarfile.TarInfo, data: bytes) -> None:
        self.entries[path] = (info, data)

    def make_folder(self, path: str) -> None:
        self.entries.setdefault(path, (_folder(), b""))

    def below(self, path: str) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
        prefix = path.rstrip("/") + "/"
        return {name: entry for name, entry in self.entries.items() if name.startswith(prefix)}


def unpack(data: bytes) -> list[tuple[str, tarfile.TarInfo, bytes]]:
    """List an archive's members as (normalised relative path, header, content)."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        return [(posixpath.normpath(member.name), member, _content(tar, member)) for member in tar]


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member) if member.isfile() else None
    return file.read() if file else b""


def pack(tree: FileTree, path: str, called: str) -> bytes | None:
    """Return a file or folder as an archive whose root entry is ``called``; None when missing."""
    if path not in tree.entries and not tree.has_folder(path):
        return None
    root = tree.entries.get(path, (_folder(), b""))
    members = {called: root}
    for name, entry in tree.below(path).items():
        members[f"{called}/{name[len(path.rstrip('/')) + 1 :]}"] = entry
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (info, data) in sorted(members.items()):
            tar.addfile(renamed(info, name), io.BytesIO(data))
    return buffer.getvalue()


def renamed(info: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    """Return a header under another name (`TarInfo.replace` came in the middle of 3.11)."""
    found = copy(info)
    found.name = name
    return found


def _folder() -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info
