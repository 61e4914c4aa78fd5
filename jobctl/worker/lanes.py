"""A slot's lanes behind one: whatever the job is, the right one runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from .attempt import Attempt
from .command import CommandLane
from .lane import Done, Lane, LaneMaker, Shop


class SlotLanes:
    """Makes each lane when it is first needed: most workers only ever need one kind."""

    def __init__(self, shop: Shop, slot: int, command: LaneMaker, function: LaneMaker) -> None:
        self._shop = shop
        self._slot = slot
        self._makers = {False: command, True: function}
        self._lanes: dict[bool, Lane] = {}

    def warm(self) -> None:
        """Makes the lane of functions ready: commands need nothing beforehand."""
        self._lane(True).warm()

    def begin(self, batch: Sequence[Attempt], done: Done) -> None:
        """Functions that find their lane ready."""
        lane = self._lanes.get(True)
        if lane is not None and batch[0].job.function:
            lane.begin(batch, done)

    def run(self, batch: Sequence[Attempt], done: Done) -> None:
        """Runs a batch of one kind."""
        self._lane(bool(batch[0].job.function)).run(batch, done)

    def close(self) -> None:
        """Closes the lanes there are."""
        for lane in self._lanes.values():
            lane.close()

    def _lane(self, function: bool) -> Lane:
        lane = self._lanes.get(function)
        if lane is None:
            lane = self._lanes[function] = self._makers[function](self._shop, self._slot)
        return lane


def lanes_of(shop: Shop) -> Callable[[int], Lane]:
    """What makes the lanes of a slot by its number."""
    return lambda slot: SlotLanes(shop, slot, CommandLane, _function)


def _function(shop: Shop, slot: int) -> Lane:
    # A worker that never runs functions never pays for what starts executors.
    made: Lane = import_module("jobctl.worker.executor.lane").FunctionLane(shop, slot)
    return made
