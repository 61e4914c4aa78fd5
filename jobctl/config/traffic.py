"""How fast jobs may come and start, and how long they are kept once they ended."""

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from jobctl.config.types import Duration, Section, lasts_at_least
from jobctl.config.units import RATE_PATTERN, format_rate, parse_rate

Rate = Annotated[
    float,
    BeforeValidator(parse_rate),
    PlainSerializer(format_rate, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": RATE_PATTERN, "examples": ["10/s", "600/m"]}),
]
"""Jobs a second; written ``10/s``, ``600/m`` or ``50/h``."""

Burst = Annotated[int, Field(ge=1, le=1_000_000)]


class Queue(Section):
    """How fast the jobs of one queue may come in and start, over all workers and clients."""

    start_rate: Rate | None = Field(
        default=None, description="At most so many of its jobs are started. null: no limit."
    )
    submit_rate: Rate | None = Field(
        default=None,
        description="At most so many jobs are taken in; whoever brings more is told when to try "
        "again. null: no limit.",
    )
    burst: Burst | None = Field(
        default=None,
        description="How many may start, or come in, at one moment after a quiet time. null: what "
        "each rate allows in one second.",
    )


class Keep(Section):
    """How long ended jobs of one kind are kept; both bounds hold at once."""

    age: Annotated[Duration, lasts_at_least("1s")] | None = Field(
        default=7 * 86400.0, description="Deleted when they ended longer ago. null: no limit."
    )
    count: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = Field(
        default=100_000, description="So many of the latest are kept. null: no limit."
    )


class Failed(Keep):
    """As for ``succeeded``, but longer: the failed jobs are the dead letters."""

    age: Annotated[Duration, lasts_at_least("1s")] | None = Field(
        default=30 * 86400.0, description="Deleted when they ended longer ago. null: no limit."
    )


class Retention(Section):
    """When ended jobs are deleted, with their logs and outputs: a little at a time."""

    succeeded: Keep = Field(default=Keep(), description="Jobs that succeeded.")
    failed: Failed = Field(default=Failed(), description="Jobs that failed: the dead letters.")
    cancelled: Keep = Field(default=Keep(), description="Jobs that were cancelled.")
