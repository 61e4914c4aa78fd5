"""What a drill left outside any queue: which submits were acknowledged, and what the jobs wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobctl.chaos.drills.history import Acknowledged


@dataclass
class Execution:
    """One time that a job ran; ``attempt`` is what it is called in its marks.

    Instants are seconds since the epoch; ``ended`` is None for what never came to its end.
    """

    job: str
    attempt: str
    worker: str
    began: float
    ended: float | None = None


class Marks:
    """All executions so far, in the order they were read; `look` takes in what came since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._open: dict[tuple[str, str], Execution] = {}
        self.executions: list[Execution] = []

    def look(self) -> None:
        """Read on. The last line of a file may lack its end."""
        for file in sorted(self._folder.glob("drill.*")):
            with file.open("rb") as opened:
                opened.seek(self._read.get(file, 0))
                whole, _, _ = opened.read().rpartition(b"\n")
            if whole:
                self._read[file] = self._read.get(file, 0) + len(whole) + 1
                for line in whole.decode().split("\n"):
                    self._take(file.name.removeprefix("drill."), line)

    def running(self, worker: str) -> list[Execution]:
        """What began on a worker and has not ended; also what never will."""
        return [one for one in self._open.values() if one.worker == worker]

    def done(self) -> set[str]:
        """The jobs that have run to their end at least once."""
        return {one.job for one in self.executions if one.ended is not None}

    def _take(self, worker: str, line: str) -> None:
        what, job, attempt, at = line.split(" ")
        if what == "begin":
            one = self._open[job, attempt] = Execution(job, attempt, worker, float(at))
            self.executions.append(one)
        else:
            self._open.pop((job, attempt)).ended = float(at)


def submits(folder: Path) -> list[Acknowledged]:
    """Read which submits were acknowledged so far."""
    file = folder / "submits"
    rows = []
    for line in file.read_text().splitlines(keepends=True) if file.exists() else ():
        if line.endswith("\n"):
            job, work, sent, at = line.split()
            rows.append(Acknowledged(float(at), job, work, float(sent)))
    return rows
