"""Which of two controllers acts.

Redis decides as long as it answers: a lease that one of them holds. While it is silent the lower
ordinal that runs acts, and the other only if that one seems to do nothing: what they do to the
engine has fixed names, so that both at once do no harm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from jobctl.cluster import labels, names
from jobctl.cluster.observed import Observed
from jobctl.control.releases import SHORT_ID, Say
from jobctl.engine.model import Container, EngineEvent
from jobctl.queue import Queue, QueueError

LEASE = 5.0
"""Seconds after which another may have the guard of one that was not heard of."""

_RENEW = 1.0
_SILENT = 0.25
"""Seconds between two tries: while Redis answers, and while it does not."""

_DELAY = 10.0
"""Seconds of silence after which also the higher ordinal acts, if the lower one does nothing."""

_STUCK = 60.0
"""Seconds without a round after which this controller lets another one have the guard."""


@dataclass(frozen=True)
class View:
    """What one controller knows of the question who acts.

    ``answer`` is what Redis said: ours or another's, None while it is silent, for ``silent_for``
    seconds. ``is_second``: a lower ordinal runs. ``other_acts``: the other wrote its state lately.
    """

    answer: bool | None
    silent_for: float = 0.0
    is_second: bool = False
    other_acts: bool = False


def acts(view: View) -> bool:
    """Decide."""
    if view.answer is not None:
        return view.answer
    return not view.is_second or (view.silent_for >= _DELAY and not view.other_acts)


def is_second(seen: Observed, holder: str) -> bool:
    """Tell whether a controller runs that goes before this one: any in a container, for a host's.

    ``holder`` is the short id of this controller's container, if it runs in one.
    """
    rows = _controllers(seen)
    own = next((labels.number_of(r.labels) for r in rows if r.id[:SHORT_ID] == holder), None)
    return any(
        row.state == "running" and (own is None or labels.number_of(row.labels) < own)
        for row in rows
    )


def _controllers(seen: Observed) -> list[Container]:
    rows = seen.containers.values()
    return [row for row in rows if row.labels.get(labels.SERVICE) == names.CONTROLLER]


class Guard:
    """Takes and renews the lease in a thread of its own.

    ``changed`` is called when this controller begins or ceases to act, or Redis to answer.
    """

    def __init__(
        self,
        holder: str,
        queue: Callable[[], Queue | None],
        other_acts: Callable[[], bool],
        say: Say,
        changed: Callable[[], None],
    ) -> None:
        self._holder = holder
        self._queue = queue
        self._other_acts = other_acts
        self._say = say
        self._changed = changed
        self._client: Queue | None = None
        self._others: set[str] = set()
        self._dead: set[str] = set()
        self._answer: bool | None = None
        self._redis_ended = False
        self._is_second = False
        self._silent_since: float | None = None
        self._moved = time.monotonic()
        self._wake = threading.Event()
        self._settled = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)
        self._told: bool | None = None
        self.acts = False
        """Whether this controller is the one that acts on the engine."""
        self.silence = ""
        """Why Redis cannot be asked; "" while it answers."""

    @property
    def holds(self) -> bool:
        """Whether Redis answers and says so: only then something is to be written to it."""
        return self.acts and self._answer is True and not self._redis_ended

    def start(self) -> None:
        """Begin to ask; return when it is known who acts, or Redis takes long to say so."""
        self._thread.start()
        self._settled.wait(_RENEW)

    def stop(self) -> None:
        """Let another have the guard at once."""
        self._stopped = True
        self._wake.set()
        self._thread.join(LEASE)

    def looked(self, seen: Observed) -> None:
        """Take a new look at the cluster: the loop is alive, and this is who else runs."""
        self._moved = time.monotonic()
        self._is_second = is_second(seen, self._holder)
        running = {row.id[:SHORT_ID] for row in _controllers(seen) if row.state == "running"}
        # Not by its event: one that is told late may be of one that is back already.
        if gone := self._others - running:
            self._dead |= gone
            self._wake.set()
        self._others = running - {self._holder}

    def heard(self, event: EngineEvent) -> None:
        """Take an event: a Redis that ended is not asked, and one that began may answer."""
        is_redis = event.kind == "container" and event.labels.get(labels.SERVICE) == names.REDIS
        if is_redis and event.action in ("die", "start"):
            # Nobody is to wait for an answer of what is known to be dead.
            self._redis_ended = event.action == "die"
            self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            self._step()
            self._settled.set()
            self._wake.wait(_SILENT if self._answer is None else _RENEW)
        self._let_go()

    def _step(self) -> None:
        answered = self._answer is not None
        try:
            self._answer = self._ask()
        except QueueError as error:
            self._answer, self.silence = None, str(error)
            self._hang_up()
        except Exception as error:  # noqa: BLE001 - without this thread nobody would ever act again
            self._answer, self.silence = None, repr(error)
            self._hang_up()
        now = time.monotonic()
        if self._answer is not None:
            self._silent_since, self.silence = None, ""
        elif self._silent_since is None:
            self._silent_since = now
        silent_for = now - self._silent_since if self._silent_since is not None else 0.0
        other_acts = self._answer is None and self._is_second and self._other_acts()
        acting = acts(View(self._answer, silent_for, self._is_second, other_acts))
        acting = acting and now - self._moved < _STUCK
        if acting != self._told:
            # Also at the start: whoever looks at one that does nothing is to know why.
            self._told = acting
            self._say("acts" if acting else "stands-by", holder=self._holder, redis=self.silence)
        if acting != self.acts:
            self.acts = acting
            self._changed()
        elif answered != (self._answer is not None):
            self._changed()

    def _ask(self) -> bool | None:
        if self._client is None or self._redis_ended:
            self._hang_up()
            self._client = self._queue()
        if self._client is None:
            self.silence = "Redis does not run, or cannot be reached from here."
            return None
        while self._dead:
            # Proof of death: nobody waits for its lease to end.
            self._client.drop_guard(self._dead.pop())
        if time.monotonic() - self._moved >= _STUCK:
            self._client.drop_guard(self._holder)
            return False
        answer = self._client.guard(self._holder, LEASE)
        self._redis_ended = False  # its start may have gone unheard
        return answer

    def _let_go(self) -> None:
        try:
            if self._client is not None and self._answer:
                self._client.drop_guard(self._holder)
        except QueueError:
            pass  # it ends by itself
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
