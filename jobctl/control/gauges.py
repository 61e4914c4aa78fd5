"""What the engine measures of each worker, written to Redis: the master tells it at ``/metrics``.

In a thread of its own and one worker after the other: with many workers it takes its time, and
nobody waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobctl.cluster.observed import Observed, instance_of
from jobctl.config import Config
from jobctl.control.place import Place
from jobctl.control.releases import Say
from jobctl.engine.errors import EngineError
from jobctl.engine.model import Container
from jobctl.engine.protocol import Engine
from jobctl.queue import Gauges, Queue, QueueError

_A_WORKER = 0.05
"""Seconds for each worker between two rounds: twenty looks a second cost little."""

_LONGEST = 30.0
"""Seconds between two rounds at most: Redis tells what was measured for a minute."""


class Gauging:
    """Measures the workers of one cluster, from `start` to `stop`, while ``acts`` says so."""

    def __init__(self, engine: Engine, place: Place, say: Say, acts: Callable[[], bool]) -> None:
        self._engine = engine
        self._place = place
        self._say = say
        self._acts = acts
        self._view: tuple[Observed, Config] | None = None
        self._stopped = threading.Event()
        self._has_view = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gauges", daemon=True)

    def start(self) -> None:
        """Begin; nothing is measured before `looked`."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the look at one worker at most."""
        self._stopped.set()
        self._has_view.set()
        self._thread.join()

    def looked(self, seen: Observed, config: Config) -> None:
        """Take a new look at the cluster."""
        self._view = (seen, config)
        self._has_view.set()

    def _run(self) -> None:
        engine = self._engine.clone()
        self._has_view.wait()
        pause = 0.0
        while not self._stopped.wait(pause) and self._view is not None:
            seen, config = self._view
            running = [row for row in seen.workers if row.state == "running"]
            pause = min(max(config.controller.interval, _A_WORKER * len(running)), _LONGEST)
            if not self._acts():
                continue
            try:
                self._measure(engine, seen, running)
            except (EngineError, QueueError):
                continue  # the controller's loop says it, and sees to it
            except Exception as error:  # noqa: BLE001 - without this thread nobody would measure
                self._say("not-measured", reason=repr(error))
        engine.close()

    def _measure(self, engine: Engine, seen: Observed, rows: list[Container]) -> None:
        measured = {}
        for row in rows:
            if self._stopped.is_set():
                return
            stats = engine.stats(row.id)
            if stats is not None:
                gauges = Gauges(stats.cpu_seconds, stats.memory, stats.throttled_seconds)
                measured[instance_of(row)] = gauges
        queue: Queue | None = self._place.queue(seen)
        if queue is None:
            return
        try:
            queue.gauges(measured)
        finally:
            queue.close()
