"""A pool's ``autoscale`` and ``update``: how many workers, and how they are replaced."""

from typing import Annotated, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from jobctl.config.types import ConflictError, Duration, Section, lasts_at_least
from jobctl.config.units import SHARE_PATTERN, parse_count_or_share

MAX_REPLICAS = 500
"""The most workers of a pool: a bridge network has some thousand places, UIDs end at 65535."""

Workers = Annotated[int, Field(ge=0, le=MAX_REPLICAS)]

CountOrShare = Annotated[
    int | str,
    BeforeValidator(parse_count_or_share),
    WithJsonSchema({"type": ["integer", "string"], "minimum": 1, "pattern": SHARE_PATTERN}),
]
"""So many, or a share of them: ``2`` or ``25%``."""


class Steps(Section):
    """The most that one decision changes."""

    up: Workers = Field(default=0, description="At most so many workers more. 0: no limit.")
    down: Workers = Field(default=0, description="At most so many workers fewer. 0: no limit.")


class Autoscale(Section):
    """As many workers as the waiting jobs need; exactly one of the two targets says how many."""

    min: Workers = Field(
        description="The fewest workers. 0: none at all while there is nothing to do.",
        examples=[1],
    )
    max: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = Field(
        description="The most workers, at most 500; fewer where the host has no room for more.",
        examples=[10],
    )
    target_backlog_per_worker: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="Target: so many waiting jobs for each worker.", examples=[20]
    )
    target_wait: Annotated[Duration, lasts_at_least("100ms")] | None = Field(
        default=None,
        description="Target: a job waits so long, going by how long jobs take (100ms or more).",
        examples=["30s"],
    )
    up_cooldown: Duration = Field(
        default=5.0, description="The shortest time between two changes to more workers."
    )
    down_cooldown: Duration = Field(
        default=60.0,
        description="The shortest time after any change before there are fewer workers. Idle ones "
        "go first, and no job is cut.",
    )
    step: Steps = Field(default=Steps(), description="The most that one decision changes.")

    @field_validator("max")
    @classmethod
    def _not_below_min(cls, most: int, info: ValidationInfo) -> int:
        least = info.data.get("min")
        if least is not None and most < least:
            raise ConflictError(f"must be at least min ({least}); it is {most}", "min")
        return most

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.target_backlog_per_worker is None) == (self.target_wait is None):
            both = "it has neither" if self.target_wait is None else "not both"
            raise ValueError(f"needs `target_backlog_per_worker` or `target_wait`: {both}")
        return self

    def clamped(self, replicas: int) -> int:
        """Return the number within ``min`` and ``max`` that is nearest."""
        return max(self.min, min(self.max, replicas))


class Update(Section):
    """How `jobctl up` replaces workers whose image or settings changed: some at a time."""

    max_unavailable: CountOrShare = Field(
        default=1,
        description="How many are replaced at the same time: a number, or a share of the pool "
        "such as 25% (rounded down, but one at least). `jobctl up --max-unavailable` overrides it.",
        examples=[1, "25%"],
    )
    canary: bool = Field(
        default=True,
        description="A new worker gets no job before a small one, its canary, has succeeded on "
        "it, and no other worker is replaced before that. When it fails, those replaced so far "
        "are rolled back. false: a new worker must register, no more.",
    )
