"""The lane of commands: one at a time, each a process group of its own."""

from __future__ import annotations

from collections.abc import Sequence

from .attempt import Attempt
from .lane import Done, Shop
from .runner import Runner


class CommandLane:
    """Runs commands in one slot."""

    def __init__(self, shop: Shop, slot: int) -> None:
        self._runner = Runner(shop.settings, shop.listener, shop.journal, activity=shop.activity)
        self._slot = slot

    def warm(self) -> None:
        """A command needs nothing beforehand."""

    def run(self, batch: Sequence[Attempt], done: Done) -> None:
        """Runs them one after the other."""
        for attempt in batch:
            done([(attempt, self._runner.run(attempt, self._slot))])

    def close(self) -> None:
        """Nothing outlives a command."""
