"""What the jobs wrote of themselves, read as they go on: who began what, where, and ended it."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bench.lab.tail import Tail


@dataclass
class Execution:
    """One time that a job ran. Instants are seconds since 1970."""

    worker: str
    began: float
    ended: float | None = None


class Log:
    """All executions so far, by job; `look` takes in what was written since."""

    def __init__(self, folder: Path) -> None:
        self._tail = Tail(folder, "run.")
        self._running: dict[tuple[str, int], Execution] = {}
        self.executions: defaultdict[int, list[Execution]] = defaultdict(list)

    def look(self) -> None:
        """Read on."""
        for worker, line in self._tail.lines():
            self._take(worker, line)

    def running(self, worker: str) -> dict[int, Execution]:
        """What began on a worker and has not ended, by job; also what never will."""
        return {job: one for (by, job), one in self._running.items() if by == worker}

    def begun_since(self, worker: str, moment: float) -> bool:
        """Whether a worker began anything after a moment."""
        return any(
            one.worker == worker and one.began > moment
            for some in self.executions.values()
            for one in some
        )

    def completed(self) -> int:
        """How many jobs have run to their end."""
        return sum(any(one.ended for one in some) for some in self.executions.values())

    def _take(self, worker: str, line: str) -> None:
        kind, number, moment = line.split(" ")
        key = worker, int(number)
        if kind == "s":
            self._running[key] = Execution(worker, float(moment))
            self.executions[int(number)].append(self._running[key])
        elif key in self._running:
            self._running.pop(key).ended = float(moment)
