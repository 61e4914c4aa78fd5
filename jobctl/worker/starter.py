"""Having the launcher of a slot begin with commands."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .attempt import Attempt
from .launch import job_environment, pool_environment
from .launcher import WELL, Answers, Start
from .places import Place
from .station import Station
from .watch import CannotStartError


class Begun(NamedTuple):
    """How far a series came by itself: when each that began did so (ms since 1970), in order.

    `answers` are about the last of these; the others have ended well and left nothing.
    """

    times: Sequence[int] = ()
    answers: Answers | None = None

    @property
    def well(self) -> int:
        """How many of the series have ended well and left nothing."""
        return len(self.times) if self.answers is WELL else max(0, len(self.times) - 1)


class Starter:
    """`pool` is the environment that all jobs of the pool have."""

    def __init__(self, station: Station, pool: Mapping[str, str]) -> None:
        self._station = station
        self._pool = pool_environment(pool)

    def begin(self, series: Sequence[Attempt], places: Sequence[Place]) -> Begun:
        """Begins with at least the first of them; CannotStartError if that is impossible now.

        Returns as soon as one takes longer than most do, or has ended in another way.
        """
        launcher = self._station.launcher
        try:
            self._station.lend()
            launcher.ask([*map(self._start, series, places)])
            answers, times = launcher.first()
        except OSError as error:
            launcher.end()
            raise CannotStartError(error.errno or 0, str(error), worker=True) from None
        except ValueError as error:
            raise CannotStartError(errno.EINVAL, str(error), worker=False) from None
        if not times:
            launcher.end()
            raise CannotStartError(errno.EAGAIN, "its launcher was ended", worker=True)
        return Begun(times, answers)

    def _start(self, attempt: Attempt, place: Place) -> Start:
        job = attempt.job
        environ = job_environment(job, self._pool, place.output, self._station.reported.path)
        return Start(place.output, job.argv, environ, job.stdin, place.spare, place.number)
