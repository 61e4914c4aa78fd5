"""What a drill left outside any queue: which submits were acknowledged, and what the jobs wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.lab.tail import Tail
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
        self._tail = Tail(folder, "drill.")
        self._open: dict[tuple[str, str], Execution] = {}
        self.executions: list[Execution] = []

    def look(self) -> None:
        """Read on."""
        for worker, line in self._tail.lines():
            self._take(worker, line)

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
