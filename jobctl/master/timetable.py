"""When a schedule is due: cron expressions in a time zone. Pure: the caller says what time it is.

The clock changes as Debian's cron sees them: a fixed time of day that a change skips comes right
after it, and one that a change repeats comes once. Patterns with a ``*`` as minute or hour follow
the time that really passes.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

Missed = Literal["latest", "skip", "all"]

LATE_MS = 10_000
"""A tick that nobody could fire for so long counts as missed."""


class TimetableError(ValueError):
    """The expression or the zone is none; one sentence says which."""


class Timetable:
    """The ticks of one cron expression, as milliseconds since the epoch."""

    def __init__(self, cron: str, timezone: str = "UTC") -> None:
        self._cron = cron
        try:
            self._zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            problem = f"{timezone!r} is not a time zone such as Europe/Berlin"
            raise TimetableError(problem) from error
        try:
            if self.after(0) is None:
                raise TimetableError(f"{cron!r} is never due")
        except CronSimError as error:
            raise TimetableError(f"{cron!r} is not a cron expression: {error}") from error

    def after(self, moment: int) -> int | None:
        """Return the first tick later than ``moment``; None if none is left in 50 years."""
        ticks = map(_ms, CronSim(self._cron, self._local(moment)))
        # Begun within a repeated hour, the walk starts from its first half.
        return next((tick for tick in ticks if tick > moment), None)

    def within(self, after: int, until: int, most: int) -> list[int]:
        """Return the latest ticks (``most`` at most) in ``after`` < tick <= ``until``, in order."""
        found = takewhile(lambda tick: tick > after, self._back(until))
        return sorted(islice(found, most))

    def _back(self, until: int) -> Iterator[int]:
        start = self._local(until + 1000)
        ticks = map(_ms, CronSim(self._cron, start, reverse=True))
        return (tick for tick in ticks if tick <= until)

    def _local(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment // 1000, UTC).astimezone(self._zone)


def due(table: Timetable, last: int, now: int, missed: Missed, most: int) -> Sequence[int]:
    """Return the ticks after ``last`` that are to be fired at ``now``, in order.

    Those not older than `LATE_MS` always are. Of the older ones ``skip`` takes none, ``all`` the
    latest ``most``, and ``latest`` one, unless a fresh one stands for it.
    """
    ticks = table.within(last, now, most)
    fresh = [tick for tick in ticks if tick >= now - LATE_MS]
    match missed:
        case "all":
            return ticks
        case "latest":
            return fresh or ticks[-1:]
        case "skip":
            return fresh


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
