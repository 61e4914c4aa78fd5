"""The field types that cluster.yaml is made of, with their units, patterns and JSON Schema."""

import os.path
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from jobctl.config.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)

PROJECT_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,39}$"
# Every part of a pool's name holds a letter: in `worker-gpu-2` the last number is always the
# worker's ordinal, never a piece of the pool's name.
POOL_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*$"
QUEUE_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$"
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
IMAGE_PATTERN = r"^[a-z0-9][a-zA-Z0-9._/:-]*(@sha256:[0-9a-f]{64})?$"


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": ["integer", "string"],
            "minimum": 0,
            "pattern": SIZE_PATTERN,
            "examples": ["64MB", "1GB"],
        }
    ),
]
"""Bytes; written ``128MB`` (powers of 1024)."""

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": ["number", "string"],
            "minimum": 0,
            "pattern": DURATION_PATTERN,
            "examples": ["500ms", "10s", "1m"],
        }
    ),
]
"""Seconds; written ``10s``, ``500ms``, ``1h30m`` or as a bare number."""

Cpus = Annotated[float, Field(ge=0.01, le=1024, examples=[0.5, 2])]
"""Cores; 0.5 is half a core."""

Pids = Annotated[int, Field(ge=16, le=65536)]
"""Processes and threads in one container."""

QueueName = Annotated[str, Field(pattern=QUEUE_PATTERN)]
PoolName = Annotated[str, Field(pattern=POOL_PATTERN, max_length=30)]
VariableName = Annotated[str, Field(pattern=VARIABLE_PATTERN)]
ImageName = Annotated[str, Field(pattern=IMAGE_PATTERN)]


class ConflictError(ValueError):
    """A setting does not agree with another one of its section (``other``)."""

    def __init__(self, text: str, other: str) -> None:
        super().__init__(text)
        self.other = other


@dataclass(frozen=True)
class Conflict:
    """One of several things that do not fit together.

    ``place`` starts at the section that holds the validated setting: ``("services", "web")``.
    """

    place: tuple[str | int, ...]
    text: str
    suggestion: str = ""


class ConflictsError(ValueError):
    """Several things in a section do not fit together; each is told at its own place."""

    def __init__(self, conflicts: Iterable[Conflict]) -> None:
        self.conflicts = tuple(conflicts)
        super().__init__(
            "; ".join(f"{'.'.join(map(str, c.place))}: {c.text}" for c in self.conflicts)
        )


def size_within(low: str, high: str | None = None) -> AfterValidator:
    """Bound a Size; both ends belong to the range."""

    def check(size: int) -> int:
        if size < parse_size(low):
            raise ValueError(f"must be {low} or more, not {format_size(size)}")
        if high is not None and size > parse_size(high):
            raise ValueError(f"must be {high} or less, not {format_size(size)}")
        return size

    return AfterValidator(check)


def lasts_at_least(low: str) -> AfterValidator:
    """Bound a Duration from below; the bound belongs to the range."""

    def check(seconds: float) -> float:
        if seconds < parse_duration(low):
            raise ValueError(f"must be {low} or more, not {format_duration(seconds)}")
        return seconds

    return AfterValidator(check)


def absolute(path: str, info: ValidationInfo) -> str:
    """Resolve a host path: ``~`` is the home folder, a relative one starts at the file's folder.

    The loader hands that folder over as the validation context's ``folder``; without one, relative
    paths start at the current folder.
    """
    folder = (info.context or {}).get("folder", Path.cwd())
    return os.path.normpath(Path(folder, Path(path).expanduser()).absolute())


class Section(BaseModel):
    """A mapping in the file: immutable, no unknown keys, no silent conversions."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        # A changed setting must also agree with the defaults of its neighbours.
        validate_default=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, data: Any) -> Any:
        """Read a key without a value (all its settings commented out) as an empty section."""
        return {} if data is None else data
