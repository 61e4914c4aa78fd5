"""What the controller says of workers whose containers it sees, and of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import calls
from ..fleet import Gauges
from ..status import Cause
from .sender import Sender


class Controlling(Sender):
    """Proof of death, patience, the guard, and what the engine measured."""

    def release(self, incarnation: str, cause: Cause = Cause.WORKER_LOST, reason: str = "") -> int:
        """Forget a worker that is proved dead; its jobs are queued again (how many).

        Of `cause` depends what it costs them: worker-lost, node-lost, chaos and oom (the
        supervisor itself ran out of memory) are a crash, all others cost nothing. It and
        `reason`, a few words, go into the history of what it had started.
        """
        return self._call(calls.release(incarnation, cause, reason))

    def release_container(
        self, container: str, before_ms: int, cause: Cause, reason: str = ""
    ) -> int:
        """`release` the workers that said they are in `container` (its 12-character id).

        One that registered after `before_ms` (Redis' clock), when the container ended, is of
        its next life and left alone.
        """
        return self._call(calls.release_container(container, before_ms, cause, reason))

    def set_aside(self, container: str, since_ms: int) -> int:
        """Say that a container stands still since then (Redis' clock); how many jobs that freed.

        Nothing is handed to its workers until they ask again, and what was claimed for them since
        is queued again. What they know of stays theirs, for as long as their lease says.
        """
        return self._call(calls.set_aside(container, since_ms))

    def extend_lease(self, incarnation: str, until_ms: int) -> bool:
        """Let a worker's lease end no sooner than `until_ms` (Redis' clock).

        It is never shortened. False if the worker is not known (any more).
        """
        return self._call(calls.extend_lease(incarnation, until_ms))

    def guard(self, holder: str, seconds: float) -> bool:
        """Take or renew the guard for so long; False while another holder has it.

        Of several controllers, only the one that has it acts on the queue.
        """
        return self._call(calls.guard(holder, seconds))

    def drop_guard(self, holder: str) -> None:
        """Let another have the guard at once, if `holder` has it."""
        self._call(calls.drop_guard(holder))

    def canary(self, worker: str, timeout: float = 30.0) -> str:
        """Submit a small function that only this worker runs, when it is idle; the job's id.

        It is cancelled when the worker goes. Raises `UnknownWorker`, `Full`.
        """
        return self._call(calls.canary(worker, timeout))

    def gauges(self, measured: Mapping[str, Gauges]) -> None:
        """Write what was measured of the workers, by name; it is told for a minute."""
        self._call(calls.gauges(measured))

    def read_gauges(self) -> dict[str, Gauges]:
        """What was last measured, by worker."""
        return self._call(calls.read_gauges())

    def ask(self, *words: str) -> Any:
        """Give a command of Redis' own that is of no key, and get the reply as it is sent.

        For what ails it (`INFO`, `SLOWLOG GET`) and to end that (`FUNCTION KILL`).
        """
        return self._execute(*words)
