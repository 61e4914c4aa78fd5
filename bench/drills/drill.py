"""One drill of one contestant that is up: the load, one fault, and what comes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import docker
from docker.errors import APIError

from bench.drills.effects import Marks, submits
from bench.drills.load import BOUND, EVERY, LASTING, RATE, TAKES, Plan
from bench.lab.contestant import Contestant
from bench.lab.engine import hosts
from jobctl.chaos.drills.history import Acknowledged, FaultSeen

_SETTLE = 5.0
_PATIENCE = 60.0
_POLL = 0.01
# Runs that nobody needs come late: what a thawed worker had fetched, what was restored twice.
_LINGER = 8.0


@dataclass(frozen=True)
class Course:
    """What happened; instants are seconds since the epoch."""

    began: float
    ended: float
    fault: FaultSeen
    acknowledged: tuple[Acknowledged, ...]
    marks: Marks


class Drill:
    """Runs the plan; ``revive`` says that a killed container is started again here, at once."""

    def __init__(self, stage: Contestant, plan: Plan, *, revive: bool) -> None:
        self._stage = stage
        self._plan = plan
        self._revive = revive
        self._engine = docker.from_env(version="auto").api
        self._folder = stage.recordings.folder
        self._marks = Marks(self._folder)
        self._problems: list[str] = []

    def run(self) -> Course:
        """Feed, make the fault, wait until all have run or the bound is over."""
        workers = hosts(self._engine, self._stage.containers())
        time.sleep(_SETTLE)
        feeder = threading.Thread(target=self._feed, name="feed", daemon=True)
        feeder.start()
        self._until(lambda: bool(submits(self._folder)), "the first submit")
        began = submits(self._folder)[0].sent
        time.sleep(max(0.0, began + self._plan.at - time.time()))
        fault = self._make(workers)
        feeder.join(self._plan.lasts + _PATIENCE)
        if feeder.is_alive() or self._problems:
            why = self._problems or ["it did not end"]
            raise RuntimeError(f"{self._stage.name}: the load: {why[0]}")
        sent = {one.job for one in submits(self._folder)}
        if self._wait(lambda: self._marks.done() >= sent, BOUND):
            time.sleep(_LINGER)
            self._marks.look()
        acknowledged = tuple(submits(self._folder))
        # What the checker calls stuck has stood still for longer than the bound.
        return Course(began, time.time() + 1, fault, acknowledged, self._marks)

    def _feed(self) -> None:
        plan = self._plan
        try:
            self._stage.produce("drill", plan.lasts, RATE, TAKES, EVERY, LASTING)
        except RuntimeError as error:
            self._problems.append(str(error))

    def _make(self, workers: dict[str, str]) -> FaultSeen:
        """Make the fault where it hurts: a long job and one more run on the victim."""
        victims: list[str] = []

        def found() -> bool:
            victims[:] = [host for host in workers if self._hurts(host)]
            return bool(victims)

        self._until(found, "a worker with a long job and another one")
        host = victims[0]
        container = workers[host]
        asked = time.time()
        if self._plan.kind == "kill-worker":
            self._engine.kill(container)
            fault = FaultSeen("kill-worker", host, asked, time.time())
            if self._revive:
                self._engine.start(container)
            return fault
        asked = self._pause(container)
        time.sleep(max(0.0, asked + self._plan.fault - time.time()))
        try:
            self._engine.unpause(container)
        except APIError as error:
            raise RuntimeError(f"{self._stage.name}: somebody else ended the pause") from error
        return FaultSeen("pause-worker", host, asked, time.time())

    def _pause(self, container: str) -> float:
        """Pause a container; return when that was asked for.

        On a busy machine the kernel may not get its processes to stand still in time: it is asked
        again.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            asked = time.time()
            try:
                self._engine.pause(container)
            except APIError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL)
            else:
                return asked

    def _hurts(self, host: str) -> bool:
        now = time.time()
        ages = [now - one.began for one in self._marks.running(host)]
        return len(ages) > 1 and any(TAKES * 2 < age < LASTING / 2 for age in ages)

    def _wait(self, reached: Callable[[], bool], within: float) -> bool:
        """Read on until something is so; False if it is not for long."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            self._marks.look()
            if reached():
                return True
            time.sleep(_POLL)
        return False

    def _until(self, reached: Callable[[], bool], what: str) -> None:
        if not self._wait(reached, _PATIENCE):
            raise RuntimeError(f"{self._stage.name}: waited in vain for {what}")
