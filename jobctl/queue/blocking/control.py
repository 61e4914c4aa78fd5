"""What the master and operators order."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import calls
from ..library import OLDER
from ..model import Submitted, Tick
from ..rules import QueueRates, Rate, Retention
from ..spec import JobSpec
from .sender import Sender


class Control(Sender):
    """Time, workers, queues, arrays, and what is kept."""

    def configure(
        self,
        lease: float,
        *,
        queues: Mapping[str, QueueRates] | None = None,
        client_rate: Rate | None = None,
    ) -> None:
        """Set how long a lease lasts, in seconds, and all rates; one not given is none."""
        self._call(calls.configure(lease, queues=queues, client_rate=client_rate))

    def migrate(self) -> int:
        """Turn an older schema's data into this one's; how many jobs were in flight.

        Nothing to do is 0. Workers of the older schema can do nothing more afterwards.
        """
        in_flight = self._call(calls.migrate())
        if self._read(calls.library(OLDER)) is not None:
            self._read(calls.drop_library(OLDER))
        return in_flight

    def tick(self, limit: int = 100) -> Tick:
        """Do what time brings: ended leases, due jobs, jobs that waited for others."""
        return self._call(calls.tick(limit))

    def drain(self, name: str, grace: float | None) -> None:
        """Let a worker claim nothing more; `grace` seconds for what runs (None: all it takes).

        Raises `UnknownWorker`.
        """
        self._call(calls.drain(name, grace))

    def undrain(self, name: str) -> None:
        """Let a worker that drains or is on trial claim (again). Raises `UnknownWorker`."""
        self._call(calls.undrain(name))

    def trial(self, name: str, seconds: float = 300.0) -> None:
        """Let whoever registers under a name get no job but its canary.

        That ends when it is undrained, or by itself after so many `seconds`.
        """
        self._call(calls.trial(name, seconds))

    def pause(self, queue: str) -> None:
        """Let nothing be claimed from a queue; what runs goes on."""
        self._call(calls.pause(queue))

    def drain_queue(self, queue: str) -> None:
        """Refuse submits to a queue (`QueueClosed`); what is there runs out."""
        self._call(calls.drain_queue(queue))

    def resume(self, queue: str) -> None:
        """Open a paused or draining queue."""
        self._call(calls.resume(queue))

    def open_array(self, array_id: str, size: int, max_fails: int | None = None) -> None:
        """Make an array known before its jobs; more than `max_fails` failures end it."""
        self._call(calls.open_array(array_id, size, max_fails))

    def cancel_array(self, array_id: str) -> None:
        """Cancel what is not over of an array, the rest of a big one by ticks.

        Raises `UnknownJob`.
        """
        self._call(calls.cancel_array(array_id))

    def prune(self, rules: Retention, limit: int = 100) -> int:
        """Delete ended jobs that `rules` do not keep; how many, at most `limit`."""
        return self._call(calls.prune(rules, limit))

    def take_litter(self, n: int) -> builtins.list[str]:
        """Ids of deleted jobs whose folders the caller is to remove within a minute."""
        return self._call(calls.take_litter(n))

    def drop_litter(self, ids: Sequence[str]) -> None:
        """Say that these folders are gone."""
        self._call(calls.drop_litter(ids))

    def fire(self, schedule: str, tick_ms: int, spec: JobSpec | None) -> Submitted | None:
        """Submit a schedule's job for a tick; None if that or a later one was fired."""
        return self._call(calls.fire(schedule, tick_ms, spec))

    def keep_schedules(self, names: Collection[str]) -> None:
        """Forget all schedules but these: one that comes back begins as a new one."""
        self._call(calls.keep_schedules(names))

    def restore(self, records: Sequence[Mapping[str, Any]]) -> int:
        """Put back records of a backup; how many were not there yet."""
        return self._call(calls.restore(records))
