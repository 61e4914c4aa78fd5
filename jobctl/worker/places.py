"""The folders that a slot's commands run in: spare ones while they last, else made for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .attempt import Attempt
from .folders import AttemptFolder, is_full, prepare, prepare_without_room, remove_if_empty, seal
from .journal import Journal
from .prefetch import MAX_COMMANDS
from .settings import Settings
from .spare import Spare


class Place(NamedTuple):
    """Where one attempt runs: its folder, and `output` in it.

    `spare` says which of the slot's spare folders it is, and `number` which one of those that
    have been this spare; -1 and 0: it was made for this attempt. `kept` is False if there was
    no room.
    """

    path: str
    output: str
    spare: int = -1
    number: int = 0
    kept: bool = True


class Places:
    """Each attempt's folder has its final name before the attempt begins."""

    def __init__(self, settings: Settings, slot: int, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal
        self._user = settings.command_user(slot)
        name, paths = f"{settings.name}-{slot}", settings.paths
        self._spares = [
            Spare(paths.jobs, f"{name}-{number}", self._user, settings.reader_gid)
            for number in range(MAX_COMMANDS)
        ]

    def take(self, attempts: Sequence[Attempt]) -> list[Place]:
        """A place for each, or for the first ones; one at least, or OSError."""
        places: list[Place] = []
        now = time.time_ns()
        # No more are made than there are attempts, and one that cannot be used now is left out.
        for index, spare in enumerate(self._spares[: len(attempts)]):
            path = spare.take(*attempts[len(places)].fence, now)
            if path is not None:
                places.append(Place(path, f"{path}/output", index, spare.number))
        return places or [self._prepare(attempts[0])]

    def leave(self, attempt: Attempt, place: Place, *, logged: bool = False) -> None:
        """Takes the outputs from an ended attempt; nothing is left of an empty folder."""
        if place.spare >= 0 and not logged and self._spares[place.spare].take_back(place.path):
            return
        if not place.kept:
            return
        folder = AttemptFolder(Path(place.path), Path(place.output))
        try:
            seal(folder, self._settings.reader_gid)
            remove_if_empty(folder)
        except OSError as error:
            self._journal("output-not-sealed", job=attempt.job.id, reason=error)

    def close(self) -> None:
        """Removes the spare ones."""
        for spare in self._spares:
            spare.close()

    def _prepare(self, attempt: Attempt) -> Place:
        settings, (job_id, number) = self._settings, attempt.fence
        paths = settings.paths
        try:
            made = prepare(paths.jobs, job_id, number, self._user, settings.reader_gid)
        except OSError as error:
            if not is_full(error):
                raise
            self._journal("no-room-for-output", job=job_id, attempt=number)
            path = paths.jobs / job_id / str(number)
            made = prepare_without_room(path, paths.scratch[0], self._user)
        return Place(str(made.path), str(made.output), kept=made.kept)
