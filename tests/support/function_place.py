"""A lane of functions with a real executor, run as the current user."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jobctl.queue import ClaimedJob, Outcome
from jobctl.worker.attempt import Activity, Attempt
from jobctl.worker.executor.lane import FunctionLane
from jobctl.worker.lane import Ended, Result, Shop
from jobctl.worker.reports import Report
from tests.support.worker_place import place
from tests.support.worker_queue import a_job


class Ear:
    """Hears what a lane tells; `on_note` and `on_start` answer in the lane's own thread."""

    def __init__(self) -> None:
        self.begun: list[Attempt] = []
        self.notes: list[tuple[Attempt, Report]] = []
        self.on_note: Callable[[Attempt, Report], None] = lambda *_: None
        self.on_start: Callable[[Attempt], None] = lambda _: None

    def started(self, attempt: Attempt) -> None:
        self.begun.append(attempt)
        self.on_start(attempt)

    def note(self, attempt: Attempt, report: Report) -> None:
        self.notes.append((attempt, report))
        self.on_note(attempt, report)


class FunctionPlace:
    """`code` is the text of the module `m`; `functions` there run as jobs."""

    def __init__(
        self,
        root: Path,
        code: str,
        *,
        python: str = sys.executable,
        count_oom_kills: Callable[[], int] = lambda: 0,
        **settings: Any,
    ) -> None:
        source = root / "pool" / "src"
        source.mkdir(parents=True)
        (source / "m.py").write_text(code)
        self.source = source
        self.settings = place(root, code=str(root / "pool"), python=python, **settings)
        self.ear = Ear()
        self.events: list[tuple[str, dict[str, object]]] = []
        self.activity = Activity()
        shop = Shop(self.settings, self.ear, self._journal, self.activity)
        self.lane = FunctionLane(shop, 0, count_oom_kills)
        self.told: list[Ended] = []

    def _journal(self, event: str, /, **facts: object) -> None:
        self.events.append((event, facts))

    def run(self, *jobs: ClaimedJob | Attempt) -> list[Result]:
        """Runs them to their ends; the results in the order of the jobs.

        What comes back unstarted, as it may on a slow machine, is run again.
        """
        attempts = [job if isinstance(job, Attempt) else Attempt(job) for job in jobs]
        ends: dict[Attempt, Result] = {}
        while left := [attempt for attempt in attempts if attempt not in ends]:
            results = self.run_once(*left)
            ends |= {a: r for a, r in zip(left, results, strict=True) if not r.unstarted}
        return [ends[attempt] for attempt in attempts]

    def run_once(self, *attempts: Attempt) -> list[Result]:
        """Runs them as one batch; the results in the order of the attempts."""
        ends: dict[Attempt, Result] = {}

        def done(ended: Sequence[Ended]) -> None:
            for attempt, result in ended:
                assert attempt not in ends
                ends[attempt] = result
            self.told += ended

        self.lane.run(attempts, done)
        return [ends[attempt] for attempt in attempts]

    def outcome(self, job: ClaimedJob | Attempt) -> Outcome:
        """Runs one; it must have an outcome."""
        [result] = self.run(job)
        assert result.outcome is not None
        return result.outcome

    def log(self, job: ClaimedJob) -> str:
        """What an attempt printed, "" if there is no log."""
        path = self.settings.paths.jobs / job.id / str(job.attempt) / "log"
        return path.read_text() if path.exists() else ""

    def count(self, event: str) -> int:
        """How often the journal had it."""
        return sum(1 for name, _ in self.events if name == event)


def call(name: str, *listed: Any, fields: dict[str, Any] | None = None, **named: Any) -> ClaimedJob:
    """A job that calls `m:<name>` (or a full path) with these arguments."""
    path = name if ":" in name else f"m:{name}"
    given = list(listed) if listed else named
    return a_job(function=path, args=json.dumps(given) if given else "", **(fields or {}))
