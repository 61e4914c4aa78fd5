"""What tests of a slot's commands do with its lane."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from jobctl.queue import ClaimedJob, Outcome
from jobctl.worker.attempt import Activity, Attempt
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import Ended, Shop
from jobctl.worker.launcher import Begun
from jobctl.worker.places import Place
from jobctl.worker.prefetch import MAX_COMMANDS
from jobctl.worker.settings import Settings
from tests.support.worker_place import silent
from tests.support.worker_queue import a_job

OK = Outcome(True, exit_code=0)


class Deaf:
    """A listener that does not care."""

    def started(self, attempt: Attempt) -> None: ...
    def note(self, attempt: Attempt, report: object) -> None: ...


def run_all(lane: CommandLane, *jobs: ClaimedJob) -> list[Ended]:
    """Run these as one batch; their ends in the order in which they were told."""
    ends: list[Ended] = []
    attempts = [Attempt(job) for job in jobs]
    lane.run(attempts, ends.extend)
    for attempt in attempts:
        attempt.close()
    return ends


def settle(lane: CommandLane) -> None:
    """Run short jobs until the launcher knows all spare folders."""
    until = time.monotonic() + 30
    while len(lane._station.launcher._spares) < MAX_COMMANDS:
        assert time.monotonic() < until
        ends = run_all(lane, *(a_job("true") for _ in range(MAX_COMMANDS)))
        assert all(result.outcome == OK for _, result in ends)


def sh(script: str, **fields: Any) -> ClaimedJob:
    return a_job("/bin/sh", "-c", script, **fields)


@contextmanager
def settled_lane(settings: Settings, activity: Activity) -> Iterator[CommandLane]:
    """A lane that runs short jobs in series from the first one on."""
    lane = CommandLane(Shop(settings, Deaf(), silent, activity), 0, lambda: 0)
    settle(lane)
    yield lane
    lane.close()


class Answered:
    """The series that the launcher was asked to run, and how far each came by itself."""

    def __init__(self, lane: CommandLane, monkeypatch: pytest.MonkeyPatch) -> None:
        self.series: list[tuple[int, int]] = []
        begin = lane._starter.begin

        def seen(series: Sequence[Attempt], places: Sequence[Place], until: float) -> Begun:
            begun = begin(series, places, until)
            self.series.append((len(series), begun.well))
            return begun

        monkeypatch.setattr(lane._starter, "begin", seen)
