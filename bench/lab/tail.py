"""What jobs write to files of a folder, read as they go on."""

from collections.abc import Iterator
from pathlib import Path


class Tail:
    """The files of a folder whose names begin with ``prefix``; what follows it says who wrote."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix
        self._read: dict[Path, int] = {}

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield who wrote and each new line. The last one of a file may lack its end."""
        for file in sorted(self._folder.glob(f"{self._prefix}*")):
            with file.open("rb") as opened:
                opened.seek(self._read.get(file, 0))
                whole, _, _ = opened.read().rpartition(b"\n")
            if whole:
                self._read[file] = self._read.get(file, 0) + len(whole) + 1
                for line in whole.decode().split("\n"):
                    yield file.name.removeprefix(self._prefix), line
