"""What requests carry besides jobs: lists of ids, drain orders, arrays, whom to retry."""

from pydantic import Field

from jobctl.master.specs import Body
from jobctl.queue import Cause

_YEAR = 365 * 86400.0


class IdsIn(Body):
    """Jobs to look up."""

    ids: list[str]


class DrainIn(Body):
    """How a worker is drained."""

    grace: float | None = Field(
        None,
        ge=0,
        le=_YEAR,
        description="hand running jobs back after so many seconds; null: let them finish",
    )


class DeadIn(Body):
    """Which failed jobs are to run once more, a page at a time."""

    dead: bool = Field(description="true: the failed jobs")
    name: str | None = None
    cause: Cause | None = None
    limit: int = Field(default=100, ge=1)
    cursor: str = ""


class ArrayIn(Body):
    """An array, told of before its jobs are: then it can be waited for at once."""

    size: int = Field(ge=1, description="how many jobs it will have")
    max_fails: int | None = Field(
        default=None, ge=0, description="more failed jobs than this cancel the rest"
    )
