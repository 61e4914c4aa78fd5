"""The ``controller`` and ``healing`` parts of cluster.yaml: who mends the cluster, and how."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from jobctl.config.types import (
    ConflictError,
    Cpus,
    Duration,
    Pids,
    Section,
    Size,
    lasts_at_least,
    size_within,
)
from jobctl.config.units import format_duration


class Controller(Section):
    """The controller, which heals, scales and watches the cluster."""

    run: Literal["container", "host", "off"] = Field(
        default="container",
        description="`container`: a part of the cluster, the only one that the engine's socket is "
        "handed to. `host`: nothing has it; you run `jobctl controller run` yourself. `off`: "
        "nobody heals, scales or watches, and the jobs of a lost worker wait for their lease.",
    )
    replicas: Annotated[int, Field(ge=1, le=2)] = Field(
        default=1,
        description="2 keeps a second one that takes over within seconds. Only with "
        "`run: container`.",
    )
    interval: Annotated[Duration, lasts_at_least("100ms")] = Field(
        default=5.0,
        description="How often it compares what is with what should be even if the engine reports "
        "nothing (100ms or more). The death of a worker does not wait for that.",
    )
    patience: Duration = Field(
        default=30.0,
        description="How long the jobs of a worker that is paused, or slowed down by its CPU cap, "
        "stay with it. After that `lease` decides.",
    )
    cpus: Cpus = Field(default=0.5, description="Cap in cores.")
    memory: Annotated[Size, size_within("64MB")] = Field(
        default=128 << 20, description="Cap of the container (64MB or more)."
    )
    pids: Pids = Field(default=64, description="Cap on processes and threads.")
    cpu_overcommit: Annotated[float, Field(ge=0.1, le=1000)] = Field(
        default=4.0,
        description="The caps of all containers on the engine's host may add up to so many times "
        "its processors; then `autoscale` adds no more workers. Caps of memory never add up to "
        "more than nine tenths of the host's memory.",
    )
    socket: str | None = Field(
        default=None,
        description="The engine's socket, as a path on the engine's host. null: looked for at the "
        "first `jobctl up`.",
        examples=["/run/user/1000/docker.sock"],
    )

    @field_validator("replicas")
    @classmethod
    def _of_containers(cls, replicas: int, info: ValidationInfo) -> int:
        run = info.data.get("run")
        if replicas > 1 and run in ("host", "off"):
            raise ConflictError(f"must be 1 with `run: {run}`; it is {replicas}", "run")
        return replicas

    @field_validator("socket")
    @classmethod
    def _absolute(cls, socket: str | None) -> str | None:
        if socket is not None and not PurePosixPath(socket).is_absolute():
            raise ValueError("must be an absolute path, such as /var/run/docker.sock")
        return socket


class Healing(Section):
    """How containers that ended are brought back."""

    backoff: Annotated[Duration, lasts_at_least("100ms")] = Field(
        default=1.0,
        description="The wait before a container that keeps ending is started again; twice that "
        "after the next time, and so on.",
    )
    max_backoff: Annotated[Duration, lasts_at_least("100ms")] = Field(
        default=60.0, description="The longest wait; `backoff` or more."
    )
    give_up_after: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10,
        description="A container that ended so often within `window` is left alone; `jobctl ps` "
        "says so, and `jobctl up` tries again.",
    )
    window: Annotated[Duration, lasts_at_least("1s")] = Field(
        default=600.0, description="How far back ends are counted (1s or more)."
    )

    @field_validator("max_backoff")
    @classmethod
    def _not_below_backoff(cls, most: float, info: ValidationInfo) -> float:
        base = info.data.get("backoff")
        if base is not None and most < base:
            raise ConflictError(
                f"must be at least backoff ({format_duration(base)}); "
                f"it is {format_duration(most)}",
                "backoff",
            )
        return most
