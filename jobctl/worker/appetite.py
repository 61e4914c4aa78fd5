"""When to claim, and how much: what the last claims said of the queue. No I/O, no threads."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jobctl.queue import Claims

from . import prefetch
from .delivery import Wanted
from .pauses import pauses

# Rests after a wake-up that brought nothing. Usually another worker was quicker. But a queue
# that refuses this worker (it drains, and does not know yet) wakes it again at once: that
# must not become a busy loop.
_FIRST_REST, _LONGEST_REST = 0.002, 0.05
# Nothing is asked for again sooner than this, whatever the queue says is due.
_SOONEST = 0.001


@dataclass(frozen=True)
class Stock:
    """What the worker could take: free slots, and held jobs of so many that would be good."""

    room: int
    held: int
    depth: int


class Appetite:
    """Instants are seconds of time.monotonic."""

    def __init__(self, queues: tuple[str, ...]) -> None:
        self._queues = queues
        self.woken = True
        """Work may be there: a token was taken for it, or nobody has asked before."""
        # The last claim left free slots: there is nothing more, a token will come first.
        self._dry = False
        self.due_at = math.inf
        """When the queue said that there may be more."""
        self.rest_until = -math.inf
        """When the next token may be waited for."""
        self._claims = 0
        self._rests = pauses(_FIRST_REST, _LONGEST_REST)

    def needs_token(self, room: int) -> bool:
        """Whether there are free slots and nothing to claim for them now."""
        return self._dry and not self.woken and room > 0

    def nothing(self) -> Wanted | None:
        """For a worker that claims no more: a token that came belongs to another one.

        A claim of nothing puts it back.
        """
        return Wanted(0, 0, self._queues) if self.woken else None

    def wanted(self, stock: Stock, now: float, *, rides_along: bool) -> Wanted | None:
        """What to claim: as a call of its own only what is worth one."""
        more = max(0, stock.depth - stock.held)
        starving = stock.room > 0 and (not self._dry or now >= self.due_at)
        if not (rides_along or self.woken or starving):
            return None
        return Wanted(stock.room, more, self.order())

    def order(self) -> tuple[str, ...]:
        """The queues, in the order for the next claim."""
        return prefetch.queue_order(self._queues, self._claims)

    def asks(self) -> bool:
        """A claim is on its way; whether a token was taken for it."""
        self._claims += 1
        woken, self.woken = self.woken, False
        return woken

    def learns(self, wanted: Wanted, claims: Claims, woken: bool, now: float) -> None:
        """What came of it."""
        got = len(claims.jobs)
        self._dry = got < wanted.room or (self._dry and got == 0)
        self._expects(claims, now)
        if got:
            self._rests = pauses(_FIRST_REST, _LONGEST_REST)
        elif woken and wanted.room:
            self.rest_until = now + next(self._rests)

    def given(self, claims: Claims, now: float) -> None:
        """Jobs came unasked, to a worker that has been waiting for them."""
        self._claims += 1
        self._rests = pauses(_FIRST_REST, _LONGEST_REST)
        if claims.next_due is not None:
            self._expects(claims, now)

    def _expects(self, claims: Claims, now: float) -> None:
        due = claims.next_due
        self.due_at = math.inf if due is None else now + max(_SOONEST, due)
