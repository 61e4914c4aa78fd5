"""Lanes that run nothing: the test says when and how each attempt ends."""

import threading
from collections.abc import Callable, Sequence

from jobctl.queue import Outcome
from jobctl.worker.attempt import Attempt
from jobctl.worker.lane import UNSTARTED, Done, Lane, Result, Shop

SUCCESS = Result(Outcome(True), 1)


class ScriptedLanes:
    """Makes the lanes of all slots. With `at_once` every attempt succeeds by itself."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.changed = threading.Condition()
        self.at_once = at_once
        self.batches: list[list[str]] = []
        """The ids of every batch that a lane was given."""
        self.closed: list[int] = []
        self.warmed: list[int] = []
        self._running: dict[Attempt, Done] = {}

    def __call__(self, shop: Shop) -> Callable[[int], Lane]:
        return lambda slot: _ScriptedLane(self, slot)

    @property
    def running(self) -> list[str]:
        """Ids of the attempts that lanes have and that did not end."""
        return [attempt.job.id for attempt in self._running]

    def until(self, fact: Callable[[], object], within: float = 20.0) -> None:
        with self.changed:
            assert self.changed.wait_for(fact, within), "it never came to that"

    def until_running(self, *ids: str) -> None:
        self.until(lambda: set(ids) <= set(self.running))

    def attempt(self, job_id: str) -> Attempt:
        return next(attempt for attempt in self._running if attempt.job.id == job_id)

    def end(self, *ids: str, result: Result = SUCCESS) -> None:
        """Ends attempts, those of one lane in one call."""
        by_lane: dict[Done, list[tuple[Attempt, Result]]] = {}
        with self.changed:
            for attempt in [self.attempt(job_id) for job_id in ids]:
                by_lane.setdefault(self._running.pop(attempt), []).append((attempt, result))
        for done, ends in by_lane.items():
            done(ends)
        with self.changed:
            self.changed.notify_all()

    def give_back(self, *ids: str) -> None:
        """As if they were behind one that runs long."""
        self.end(*ids, result=UNSTARTED)


class _ScriptedLane:
    def __init__(self, lanes: ScriptedLanes, slot: int) -> None:
        self._lanes = lanes
        self._slot = slot

    def warm(self) -> None:
        with self._lanes.changed:
            self._lanes.warmed.append(self._slot)
            self._lanes.changed.notify_all()

    def begin(self, batch: Sequence[Attempt], done: Done) -> None:
        """All it does it does in `run`."""

    def run(self, batch: Sequence[Attempt], done: Done) -> None:
        lanes = self._lanes
        with lanes.changed:
            lanes.batches.append([attempt.job.id for attempt in batch])
            if not lanes.at_once:
                lanes._running |= dict.fromkeys(batch, done)
            lanes.changed.notify_all()
        if lanes.at_once:
            done([(attempt, SUCCESS) for attempt in batch])
            return
        mine = set(batch)
        lanes.until(lambda: not mine & lanes._running.keys(), within=60.0)

    def close(self) -> None:
        with self._lanes.changed:
            self._lanes.closed.append(self._slot)
            self._lanes.changed.notify_all()
