"""Having the launcher of a slot begin with commands."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence

from .attempt import Attempt
from .launch import job_environment, pool_environment
from .launcher import Begun, Start
from .places import Place
from .station import Station
from .watch import CannotStartError


class Starter:
    """`pool` is the environment that all jobs of the pool have."""

    def __init__(self, station: Station, pool: Mapping[str, str]) -> None:
        self._station = station
        self._pool = pool_environment(pool)

    def begin(self, series: Sequence[Attempt], places: Sequence[Place], until: float) -> Begun:
        """Begins with at least the first of them; CannotStartError if that is impossible now.

        Returns as soon as one takes longer than most do, or has ended in another way. None but
        the first begins after `until` (time.monotonic).
        """
        launcher = self._station.launcher
        try:
            self._station.lend()
            launcher.ask([*map(self._start, series, places)], until)
            begun = launcher.first()
        except OSError as error:
            launcher.end()
            raise CannotStartError.of_worker(error) from None
        except ValueError as error:
            raise CannotStartError(errno.EINVAL, str(error), worker=False) from None
        if begun is None:
            launcher.end()
            raise CannotStartError(errno.EAGAIN, "its launcher was ended", worker=True)
        return begun

    def _start(self, attempt: Attempt, place: Place) -> Start:
        job = attempt.job
        environ = job_environment(job, self._pool, place.output, self._station.reported.path)
        return Start(place.output, job.argv, environ, job.stdin, place.spare, place.number)
