"""Drill files: a load, faults, and what is expected of the cluster meanwhile.

The packaged ones are templates/drills/*.yaml; a path to a file of the user's own works the same.
`docs/drill.schema.json` is generated from here.
"""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from jobctl.chaos.catalogue import CATALOGUE
from jobctl.chaos.fault import FaultKind
from jobctl.config.jobs import Arguments, FunctionName
from jobctl.config.loader import validated
from jobctl.config.packaged import locate, packaged
from jobctl.config.reader import read
from jobctl.config.traffic import Rate
from jobctl.config.types import (
    QUEUE_PATTERN,
    Conflict,
    ConflictError,
    ConflictsError,
    Duration,
    QueueName,
    Section,
    Size,
    lasts_at_least,
    size_within,
)

WorkName = Annotated[str, Field(pattern=QUEUE_PATTERN)]
Kind = Annotated[FaultKind, Field(strict=False)]
Ended = Literal["succeeded", "failed", "cancelled"]
Failed = Literal["exit", "signal", "timeout", "oom", "rejected"]
MIXED_KINDS = (
    FaultKind.KILL_WORKER,
    FaultKind.CRASH_WORKER,
    FaultKind.STOP_WORKER,
    FaultKind.PAUSE_WORKER,
    FaultKind.KILL_MASTER,
    FaultKind.KILL_REDIS,
    FaultKind.RESTART_REDIS,
    FaultKind.PAUSE_REDIS,
    FaultKind.PARTITION,
    FaultKind.SLOW_CPU,
    FaultKind.CUT_CONNECTION,
    FaultKind.KILL_CONTROLLER,
    FaultKind.REMOVE_CONTAINER,
    FaultKind.REDIS_FULL,
    FaultKind.WRONG_CLOCK,
    FaultKind.KILL_COMMAND,
)
"""What is mixed at random unless told. Not what fails jobs by design (`oom`, `memory-pressure`),
what takes marks away (`disk-full`), and what needs to be told how (`restart-engine`)."""


T = TypeVar("T")


def _some(given: tuple[T, ...]) -> tuple[T, ...]:
    # Not as a length of the field: then a mistake in one item would be told twice.
    if not given:
        raise ValueError("must not be empty")
    return given


class Work(Section):
    """Jobs of one kind, submitted again and again while the load lasts."""

    kind: Literal["sleep", "cpu", "command", "function"] = Field(
        description="`sleep` and `cpu`: a shell that waits, or computes. `command`: `argv`. "
        "`function`: Python in a warm executor; it waits, or calls `function`.",
        examples=["sleep"],
    )
    rate: Rate = Field(description="How fast they come.", examples=["8/s"])
    count: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="No more than so many in all. null: as long as the load lasts."
    )
    takes: Duration = Field(default=0.2, description="How long each of them works.")
    takes_up_to: Duration | None = Field(
        default=None, description="Each takes a random time between `takes` and this."
    )
    payload: Annotated[Size, size_within("0B", "48KB")] = Field(
        default=0, description="So many bytes travel with each of them."
    )
    argv: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(), description="What a `command` runs.", examples=["[sha256sum, /etc/hosts]"]
    )
    function: FunctionName | None = Field(
        default=None,
        description="What a `function` calls, as `package.module:name` of the pool's code.",
        examples=["mypkg.tasks:resize"],
    )
    args: Arguments | None = Field(default=None, description="Its arguments.")
    queue: QueueName = Field(default="default", description="The queue they wait in.")
    timeout: Annotated[Duration, lasts_at_least("1s")] | None = Field(
        default=None, description="End an attempt that runs longer."
    )
    max_attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        default=1, description="How often one is tried that fails by itself."
    )
    retried_for: (
        Annotated[tuple[Failed, ...], Field(strict=False), AfterValidator(_some)] | None
    ) = Field(
        default=None,
        description="The causes that an attempt may fail of; one that fails of anything else is "
        "unexpected, also when a later one succeeds. null: any.",
        examples=["[oom]"],
    )
    expect: Annotated[tuple[Ended, ...], Field(strict=False), AfterValidator(_some)] = Field(
        default=("succeeded",), description="The statuses in which they may end."
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        wrong = [
            f"has `{name}`, which is for the kind {kind}"
            for name, kind in (("argv", "command"), ("function", "function"), ("args", "function"))
            if getattr(self, name) and self.kind != kind
        ]
        if self.kind == "command" and not self.argv:
            wrong.append("is of the kind command and needs `argv`")
        if self.args and not self.function:
            wrong.append("has `args` and no `function` to give them to")
        if self.takes_up_to is not None and self.takes_up_to < self.takes:
            wrong.append("`takes_up_to` must not be shorter than `takes`")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class Steady(Section):
    """What holds of a healthy cluster under this load: before the faults, and after them again."""

    start_within: Annotated[Duration, lasts_at_least("100ms")] = Field(
        default=3.0,
        description="No job waits longer than this for a worker, and no submit for its answer.",
    )
    backlog: Annotated[int, Field(ge=0)] = Field(
        default=100, description="No more than so many jobs wait at once."
    )


class Planned(Section):
    """A fault that is made at a time."""

    at: Duration = Field(description="When, from the begin of the load on.", examples=["10s"])
    fault: Kind = Field(
        description="What is done: see `jobctl chaos list`.", examples=["kill-worker"]
    )
    target: str | None = Field(
        default=None,
        description="What it is done to, such as worker-2. null: one at random, by the seed.",
    )
    lasts: Annotated[Duration, lasts_at_least("100ms")] | None = Field(
        default=None, description="How long. null: as `jobctl chaos list` says."
    )
    settings: dict[str, str | float] = Field(
        default_factory=dict, description="What else there is to say: see `jobctl chaos list`."
    )

    @field_validator("lasts")
    @classmethod
    def _can_last(cls, lasts: float | None, info: ValidationInfo) -> float | None:
        kind = info.data.get("fault")
        if lasts is not None and kind is not None and not CATALOGUE[kind].lasts:
            raise ConflictError(f"is not for {kind}, which is over at once", "fault")
        return lasts

    @field_validator("settings")
    @classmethod
    def _known(cls, given: dict[str, str | float], info: ValidationInfo) -> dict[str, str | float]:
        kind = info.data.get("fault")
        known = [one.name for one in CATALOGUE[kind].settings] if kind is not None else list(given)
        wrong = [
            Conflict(("settings", name), f"is no setting of {kind}", ", ".join(known))
            for name in given
            if name not in known
        ]
        if wrong:
            raise ConflictsError(wrong)
        return given


class Random(Section):
    """Faults one after the other, each chosen by the seed: what, to whom, for how long."""

    kinds: Annotated[tuple[Kind, ...], Field(strict=False), AfterValidator(_some)] = Field(
        default=MIXED_KINDS, description="Which faults."
    )
    every: Annotated[Duration, lasts_at_least("1s")] = Field(
        default=15.0, description="From one to the next, half as much to one and a half times."
    )
    first: Duration = Field(default=5.0, description="When the first comes at the earliest.")
    shortest: Annotated[Duration, lasts_at_least("100ms")] = Field(
        default=2.0, description="For how long those last that last, at least."
    )
    longest: Annotated[Duration, lasts_at_least("100ms")] = Field(
        default=15.0, description="And at most."
    )

    @field_validator("longest")
    @classmethod
    def _longer(cls, longest: float, info: ValidationInfo) -> float:
        if longest < info.data.get("shortest", 0):
            raise ConflictError("must not be shorter than `shortest`", "shortest")
        return longest


class Allow(Section):
    """The blast radius: what exceeds it is refused."""

    at_once: Annotated[int, Field(ge=1)] = Field(
        default=1, description="How many containers may be under a fault at the same time."
    )
    share: Annotated[float, Field(strict=False, gt=0, le=1)] = Field(
        default=0.5, description="How much of a pool may be down, as a part of 1."
    )
    lasts: Duration = Field(default=120.0, description="How long each may last.")


class Drill(Section):
    """A drill."""

    description: str = Field(
        default="", description="What it shows, in one sentence.", examples=["A worker dies."]
    )
    lasts: Annotated[Duration, lasts_at_least("1s")] = Field(
        description="How long jobs are submitted.", examples=["40s"]
    )
    workload: Annotated[dict[WorkName, Work], Field(min_length=1)] = Field(
        description="The jobs, by a name for each kind of them."
    )
    steady: Steady = Field(
        default=Steady(), description="The hypothesis: what holds but for the faults."
    )
    faults: Annotated[tuple[Planned, ...], Field(strict=False)] = Field(
        default=(), description="The faults, each at its time."
    )
    random: Random | None = Field(default=None, description="Faults at random, besides.")
    recover_within: Annotated[Duration, lasts_at_least("1s")] = Field(
        default=30.0,
        description="From the end of a fault, the steady state holds again within this; and from "
        "the end of the load, or of the last fault, all jobs have ended.",
    )
    run_twice_at_most: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="How many jobs may be begun by several attempts. Execution is at least once, "
        "so null: any number. For faults that must take nothing from anybody: 0.",
    )
    allow: Allow = Field(default=Allow(), description="What faults may not exceed.")

    @field_validator("faults")
    @classmethod
    def _meanwhile(cls, faults: tuple[Planned, ...], info: ValidationInfo) -> tuple[Planned, ...]:
        lasts = info.data.get("lasts")
        wrong = [
            Conflict(("faults", index, "at"), "is not before the load ends (`lasts`)")
            for index, one in enumerate(faults)
            if lasts is not None and one.at >= lasts
        ]
        if wrong:
            raise ConflictsError(wrong)
        return faults


def drill_names() -> list[str]:
    """List the packaged drills."""
    return packaged("drills")


def load_drill(name_or_path: str) -> Drill:
    """Load a drill; raises TemplateError (no such packaged drill) or ConfigError with every
    mistake and its line.
    """
    path = locate(name_or_path, "drills", "drill", "jobctl chaos drill")
    hint = f"jobctl chaos drill {name_or_path}"
    return validated(Drill, read(path, hint), path.parent, hint)
