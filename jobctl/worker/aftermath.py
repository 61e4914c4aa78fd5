"""What is done after a command for the next one: no process of it lives, its scratch is empty."""

from __future__ import annotations

from .cleanup import Scratch, end_all_of
from .lane import Shop
from .settings import JobUser


class Aftermath:
    """One slot's. `lane` is who the slot's work is entered as in the worker's activity."""

    def __init__(self, shop: Shop, user: JobUser | None, lane: object) -> None:
        self._shop = shop
        self._user = user
        self._lane = lane
        self._scratch = None if user is None else Scratch(shop.settings.paths.scratch, user.uid)
        # Processes of a job that killed its launcher while others ran as the same user.
        self._left = False

    @property
    def nothing_left(self) -> bool:
        """Whether there is surely nothing to do."""
        return not self._left and (self._scratch is None or not self._scratch.changed())

    def end_processes(self, job_id: str) -> None:
        """Without its launcher: what is left of a job is known by its UID only."""
        user, reason = self._user, None
        if user is not None:
            self._left = True
            try:
                with self._shop.activity.pause_others(self._lane) as alone:
                    # A shared UID is safe only while alone.
                    self._left = not ((alone or not user.shared) and end_all_of(user))
            except OSError as error:
                reason = error
        if user is None or self._left:
            uid = None if user is None else user.uid
            self._shop.journal("processes-left", job=job_id, uid=uid, reason=reason)

    def clear_up(self, job_id: str) -> None:
        """Does what there is to do after this job."""
        if self._left:
            self.end_processes(job_id)
        if self._scratch is None or not self._scratch.changed():
            return
        try:
            with self._shop.activity.pause_others(self._lane) as alone:
                if alone or self._user is None or not self._user.shared:
                    self._scratch.clear()
        except OSError as error:
            self._shop.journal("scratch-not-cleared", job=job_id, reason=error)

    def close(self) -> None:
        """Lets the folders go."""
        if self._scratch is not None:
            self._scratch.close()
