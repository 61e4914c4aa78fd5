"""What the executors of one slot have in common, and clearing up behind them."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..cleanup import Scratch, end_all_of
from ..lane import Shop
from .leftovers import end_others
from .process import ExecutorProcess
from .starting import Starter


class Seat:
    """A slot, as seen by its lane of functions."""

    def __init__(self, shop: Shop, slot: int, count_oom_kills: Callable[[], int]) -> None:
        self.shop = shop
        self.user = shop.settings.function_user(slot)
        self.count_oom_kills = count_oom_kills
        self.starter = Starter(shop, self.user)
        uid = None if self.user is None else self.user.uid
        self._scratch = None if uid is None else Scratch(shop.settings.paths.scratch, uid)
        # Readable after an order for some attempt. Never closed: whoever orders does not know
        # whether the lane still lives.
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def poke(self) -> None:
        """Wakes the lane's thread."""
        os.eventfd_write(self.wake, 1)

    def was_alone(self) -> bool:
        """Whether no other job ran here during this batch."""
        return self.shop.activity.was_alone(self)

    def end_leftovers(self, executor: ExecutorProcess) -> None:
        """Ends the processes that a job left, but not the executor if that can be helped."""
        with self.shop.activity.pause_others(self) as alone:
            ended = end_others(executor.pid, self.user, alone=alone)
        if not ended:
            self.shop.journal("processes-left", uid=None if self.user is None else self.user.uid)
            executor.kill()

    def end_all(self, executor: ExecutorProcess) -> None:
        """Ends what is left of an executor that is gone itself."""
        if self.user is not None and not self.user.shared:
            ended = end_all_of(self.user)
        else:
            with self.shop.activity.pause_others(self) as alone:
                ended = end_others(executor.pid, self.user, alone=alone)
        if not ended:
            self.shop.journal("processes-left", uid=None if self.user is None else self.user.uid)

    def clear_scratch(self) -> None:
        """Removes what functions left in the world-writable folders."""
        if self.user is None or self._scratch is None:
            return
        try:
            with self.shop.activity.pause_others(self) as alone:
                if alone or not self.user.shared:
                    self._scratch.clear()
        except OSError as error:
            self.shop.journal("scratch-not-cleared", reason=error)

    def clear_if_changed(self) -> None:
        """After a batch: files made in ways that raise no audit event."""
        if self._scratch is not None and self._scratch.changed():
            self.clear_scratch()

    def close(self) -> None:
        """No job runs here any more."""
        if self._scratch is not None:
            self._scratch.close()
