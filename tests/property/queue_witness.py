"""What the event stream says that jobs are, to be held against what they are."""

from __future__ import annotations

from typing import Any

from jobctl.queue import Status
from jobctl.queue.events import Transitions
from jobctl.queue.status import TRANSITIONS
from tests.support.queue_lab import Lab

_WAYS = {(edge.was, edge.to) for edge in TRANSITIONS}


class Witness:
    """Reads the stream from its beginning, a call at a time."""

    def __init__(self, lab: Lab) -> None:
        self._redis: Any = lab.redis
        self._key = f"{lab.prefix}events"
        self._last = "-"
        self.statuses: dict[str, tuple[Status, int]] = {}
        """Status and attempt of every job there ever was."""

    def look(self) -> None:
        """Take in what happened since; each change begins where the last one ended."""
        for entry_id, fields in self._redis.xrange(self._key, self._last):
            self._last = f"({entry_id}"
            steps = list(Transitions(fields))
            # An entry groups a call's changes by kind: those of one job are put in order.
            while steps:
                step = next((s for s in steps if self._status(s.id) == s.was), None)
                assert step is not None, f"{steps} from {[self._status(s.id) for s in steps]}"
                assert (step.was, step.status) in _WAYS
                self.statuses[step.id] = (step.status, step.attempt)
                steps.remove(step)

    def _status(self, job_id: str) -> Status | None:
        return self.statuses[job_id][0] if job_id in self.statuses else None
