"""Draining workers through the master: one thread asks, and watches until they hold no job.

However many workers drain, they do so at the same time and cost one small request every 20 ms.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from jobctl.cluster.errors import MasterRefused, MasterSilent
from jobctl.cluster.master_api import MasterApi, WorkerLoad
from jobctl.cluster.state import Connection

_POLL = 0.02
_PATIENCE = 5.0
"""How long (seconds) a silent master is asked again, and a hand-back may take after the grace."""


@dataclass
class _Draining:
    worker: str
    grace: float | None
    done: "Future[bool]" = field(default_factory=Future)
    deadline: float = float("inf")


class Drainer:
    """Drains workers at one master, until `close`."""

    def __init__(self, connection: Connection | None) -> None:
        self.held: set[str] = set()
        """The jobs that drained workers held; read it after `close`."""
        self._connection = connection
        self._changed = threading.Condition()
        self._asked: list[_Draining] = []
        self._closed = False
        self._thread: threading.Thread | None = None

    def drain(self, worker: str, grace: float | None) -> "Future[bool]":
        """Let a worker hold no more jobs; ``grace`` as in `MasterApi.drain`.

        The result is whether that is so: False when the master cannot be asked (any more).
        """
        draining = _Draining(worker, grace)
        if self._connection is None:
            draining.done.set_result(False)
            return draining.done
        with self._changed:
            self._asked.append(draining)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(self._connection,), name="drainer", daemon=True
                )
                self._thread.start()
        return draining.done

    def close(self) -> None:
        """Stop watching; what still drains is reported as not done."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self, connection: Connection) -> None:
        api = MasterApi(connection.url, connection.token)
        waiting: list[_Draining] = []
        try:
            while (fresh := self._fresh(bool(waiting))) is not None:
                for draining in fresh:
                    self._ask(api, draining)
                waiting = [d for d in [*waiting, *fresh] if not d.done.done()]
                if waiting:
                    waiting = self._look(api, waiting)
        except (MasterSilent, MasterRefused):
            with self._changed:
                self._connection = None
        finally:
            api.close()
            with self._changed:
                for draining in [*waiting, *self._asked]:
                    if not draining.done.done():
                        draining.done.set_result(False)
                self._asked = []

    def _fresh(self, waiting: bool) -> list[_Draining] | None:
        """Return what was asked for since; None at the end."""
        with self._changed:
            if not self._asked and not self._closed:
                self._changed.wait(_POLL if waiting else None)
            fresh, self._asked = self._asked, []
            return None if self._closed else fresh

    def _ask(self, api: MasterApi, draining: _Draining) -> None:
        try:
            _patiently(lambda: api.drain(draining.worker, draining.grace))
        except MasterRefused as refusal:
            if refusal.status != 404:
                raise
            draining.done.set_result(True)  # it never registered: it cannot hold a job
        if draining.grace is not None:
            draining.deadline = time.monotonic() + draining.grace + _PATIENCE

    def _look(self, api: MasterApi, waiting: list[_Draining]) -> list[_Draining]:
        loads: dict[str, WorkerLoad] = {}
        _patiently(lambda: loads.update(api.workers()))
        now = time.monotonic()
        for draining in waiting:
            load = loads.get(draining.worker)
            self.held.update(load.jobs if load else ())
            free = load is None or not load.jobs or load.status == "lost"
            if load is not None and not free and not load.draining:
                # Somebody else let it take jobs again: it would never come to an end.
                _patiently(partial(api.drain, draining.worker, draining.grace))
            if free or now > draining.deadline:
                draining.done.set_result(free)
        return [draining for draining in waiting if not draining.done.done()]


def _patiently(request: Callable[[], None]) -> None:
    """Make a request, and again for a while when nothing answers (the master may be restarting)."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return request()
        except MasterSilent:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL)
