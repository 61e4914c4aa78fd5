"""A contestant under fire: jobs keep coming, one worker after the other is killed."""

import random
import threading
import time
from enum import StrEnum
from typing import Any

import docker

from bench.lab.contestant import Contestant
from bench.lab.engine import hosts
from bench.recovery.log import Log
from bench.recovery.verdict import Kill, Verdict, judge, killed_by

RATE, SECONDS = 60, 0.1
"""Jobs a second, and how long each takes: half of what three workers with four places can do, so
that no queue builds up and what is measured is recovery alone, with one worker missing, too."""

_SETTLE = 5.0
_AT_LEAST = 2
_FRESH = 0.03
_PATIENCE = 60.0
_POLL = 0.003


class Revival(StrEnum):
    """Who starts the killed container again."""

    CLUSTER = "the cluster itself"
    AT_ONCE = "the benchmark, at once"
    LAST = "nobody, until its jobs have run elsewhere"


class Drill:
    """Kills workers of a contestant that is up, in turn, and waits for what they ran."""

    def __init__(self, stage: Contestant, revival: Revival, dice: random.Random) -> None:
        self._stage = stage
        self._revival = revival
        self._dice = dice
        self._engine = docker.from_env(version="auto").api
        self._log = Log(stage.recordings.folder)
        self._kills: list[Kill] = []
        self._sent: dict[str, Any] = {}

    def run(self, kills: int) -> Verdict:
        """Feed, kill that often, let everything end; what became of the jobs."""
        workers = hosts(self._engine, self._stage.containers())
        feeder = threading.Thread(target=self._feed, name="feed", daemon=True)
        time.sleep(_SETTLE)
        feeder.start()
        self._until(lambda: all(self._log.running(host) for host in workers), "work for all")
        for number in range(kills):
            host = list(workers)[number % len(workers)]
            # A rival's clocks and the kills must not keep step with each other.
            time.sleep(self._dice.uniform(1.0, 2.5))
            self._kill(host, workers[host])
        (self._stage.recordings.folder / "stop").touch()
        feeder.join(_PATIENCE)
        sent = int(self._sent["sent"])
        before = -1
        while before < (before := self._log.completed()) < sent:
            self._wait(lambda: self._log.completed() >= sent)
        time.sleep(1.0)  # a needless run would come now
        self._log.look()
        return judge(self._kills, self._log.executions, sent)

    def _feed(self) -> None:
        self._sent = self._stage.produce("feed", RATE, SECONDS)

    def _kill(self, host: str, container: str) -> None:
        self._until(lambda: self._busy(host), f"jobs on {host}")
        asked = time.time()
        self._engine.kill(container)
        kill = Kill(host, asked, time.time())
        self._kills.append(kill)
        if self._revival is Revival.AT_ONCE:
            self._engine.start(container)
        self._wait(lambda: not self._pending(kill))
        if self._revival is Revival.LAST:
            self._engine.start(container)
        self._until(lambda: self._log.begun_since(host, kill.done), f"{host} to be back")

    def _busy(self, host: str) -> bool:
        """Whether a kill would hit jobs that have just begun, and not between two of them."""
        since = max((k.done for k in self._kills if k.worker == host), default=0.0)
        began = [one.began for one in self._log.running(host).values() if one.began > since]
        return len(began) >= _AT_LEAST and time.time() - max(began) < _FRESH

    def _pending(self, kill: Kill) -> bool:
        """Whether anything that the kill cut off has not begun again."""
        return any(
            killed_by(some[-1], [kill]) is not None for some in self._log.executions.values()
        )

    def _wait(self, reached: Any) -> bool:
        """Read on until something is so; False if it is not for long."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            self._log.look()
            if reached():
                return True
            time.sleep(_POLL)
        return False

    def _until(self, reached: Any, what: str) -> None:
        if not self._wait(reached):
            raise RuntimeError(f"{self._stage.name}: waited in vain for {what}")
