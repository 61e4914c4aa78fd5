"""Jobs that are submitted by the clock: cron lines in a time zone."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator

from jobctl.config.jobs import JobFields
from jobctl.config.types import QUEUE_PATTERN, Section

ScheduleName = Annotated[str, Field(pattern=QUEUE_PATTERN)]

_NAMES = ["minute", "hour", "day-of-month", "month", "day-of-week"]  # as cronsim calls them
_PARTS = ("minute", "hour", "day of the month", "month", "day of the week")


class Schedule(Section):
    """A job that is submitted at each time a cron line names: once, whoever is alive."""

    cron: str = Field(
        description="Minute, hour, day of the month, month, day of the week, as in crontab(5).",
        examples=['"0 3 * * *"', '"*/10 8-18 * * MON-FRI"'],
    )
    timezone: str = Field(
        default="UTC",
        description="The time zone of `cron`, as the tz database names it (`Europe/Berlin`). When "
        "clocks go forward, what falls into the gap runs right after it; when they go back, what "
        "has a fixed time runs once.",
    )
    missed: Literal["latest", "skip", "all"] = Field(
        default="latest",
        description="Ticks that nobody was there for: `latest` makes up for the last one, `skip` "
        "for none, `all` for each of them (the latest 100 at most).",
    )
    job: JobFields = Field(description="The job.", examples=["{argv: [sh, nightly.sh]}"])

    @field_validator("cron")
    @classmethod
    def _readable(cls, cron: str) -> str:
        fields = cron.split()
        if len(fields) != len(_PARTS):
            raise ValueError(
                f"must have five parts ({', '.join(_PARTS)}), such as 0 3 * * *; "
                f"it has {len(fields)}"
            )
        try:
            ticks = CronSim(cron, datetime.now(UTC))
        except CronSimError as error:
            part = _PARTS[_NAMES.index(str(error).removeprefix("Bad "))]
            raise ValueError(f"is no cron line: its {part} is wrong in '{cron}'") from None
        if next(ticks, None) is None:
            raise ValueError(f"never comes: no day is like '{cron}'")
        return cron

    @field_validator("timezone")
    @classmethod
    def _known(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"there is no time zone '{timezone}'; use a name such as Europe/Berlin or UTC"
            ) from None
        return timezone
