"""The ``services`` part of cluster.yaml: containers of the user's own beside jobctl's parts."""

import os.path
import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from jobctl.config.mounts import host_folder
from jobctl.config.pools import Mount
from jobctl.config.types import (
    POOL_PATTERN,
    QUEUE_PATTERN,
    ConflictError,
    Cpus,
    Duration,
    ImageName,
    Pids,
    Section,
    Size,
    VariableName,
    lasts_at_least,
    size_within,
)

PORT_PATTERN = r"^[0-9]{1,5}:[0-9]{1,5}$"
USER_PATTERN = r"^[a-z0-9_][a-z0-9_.-]*(:[a-z0-9_][a-z0-9_.-]*)?$"

RESERVED_VOLUMES = ("control", "jobs", "redis", "secrets")
"""The volumes of the cluster's own parts."""

# What a container cannot do without: nothing may be put at, above or below these …
_SYSTEM = ("/bin", "/boot", "/dev", "/jobctl", "/lib", "/lib64", "/proc", "/sbin", "/sys")
# … and at or above these. Below them is where images expect data: /var/lib/postgresql/data.
_PARENTS = ("/etc", "/opt", "/run", "/tmp", "/usr", "/var", "/var/run")  # noqa: S108 - kept free


def _published(value: object) -> tuple[int, int]:
    """Read ``8080:80``; raises ValueError for anything else."""
    if isinstance(value, str) and re.fullmatch(PORT_PATTERN, value):
        host, inside = map(int, value.split(":"))
        value = (host, inside)
    if isinstance(value, tuple) and all(1 <= port <= 65535 for port in value):
        return value[0], value[1]
    raise ValueError("must be HOST:CONTAINER, such as 8080:80, with ports from 1 to 65535")


def _target(path: str) -> str:
    """Return a place in the container, made plain; raises ValueError when something needs it."""
    target = PurePosixPath(os.path.normpath(path))
    if not target.is_absolute():
        raise ValueError("must be an absolute path in the container, such as /data")
    for taken in map(PurePosixPath, (*_SYSTEM, *_PARENTS)):
        below = target != taken and target.is_relative_to(taken)
        if taken.is_relative_to(target) or (below and str(taken) in _SYSTEM):
            raise ValueError(f"would hide {taken} of the container; take a path such as /data")
    return str(target)


ServiceName = Annotated[str, Field(pattern=POOL_PATTERN, max_length=30)]
VolumeName = Annotated[str, Field(pattern=QUEUE_PATTERN)]
Command = Annotated[tuple[str, ...], Field(strict=False)]
Published = Annotated[
    tuple[int, int],
    BeforeValidator(_published),
    PlainSerializer(lambda port: f"{port[0]}:{port[1]}", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PORT_PATTERN}),
]
"""A port of the host's loopback address and the container's; written ``8080:80``."""


class ServiceMount(Mount):
    """A folder of the engine's host that a service can see."""

    host: Annotated[str, Field(min_length=1)] = Field(
        description="The folder (or file) on the host. A relative path starts at the folder of "
        "cluster.yaml; `~` is your home folder. Never the engine's socket.",
        examples=["./site"],
    )
    path: str = Field(
        description="Where the service finds it: an absolute path, outside the folders of the "
        "system.",
        examples=["/data"],
    )
    write: bool = Field(default=False, description="Let the service change it.")

    @field_validator("host")
    @classmethod
    def _absolute(cls, host: str, info: ValidationInfo) -> str:
        return host_folder(host, info, "to the service")

    @field_validator("path")
    @classmethod
    def _free(cls, path: str) -> str:
        return _target(path)


class Health(Section):
    """A command in the container that tells whether the service is healthy: exit code 0."""

    command: Annotated[Command, Field(min_length=1)] = Field(
        description="The command and its arguments; no shell reads them.",
        examples=['["pg_isready", "-q"]'],
    )
    interval: Annotated[Duration, lasts_at_least("1s")] = Field(
        default=10.0, description="From one check to the next (1s or more)."
    )
    timeout: Annotated[Duration, lasts_at_least("1s")] = Field(
        default=10.0, description="A check that takes longer has failed (1s or more)."
    )
    retries: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="So many failures one after another make it unhealthy."
    )
    start_period: Duration = Field(
        default=10.0, description="How long after its start failures do not count."
    )


class Service(Section):
    """A container of your own beside the cluster's, found by its name on the cluster's network.

    It has no capabilities, cannot gain privileges, and is brought back when it ends.
    """

    image: ImageName = Field(
        description="Its image. jobctl pulls what the engine does not have and builds none.",
        examples=["registry.example/team/app:1.4"],
    )
    command: Command = Field(
        default=(),
        description="The command and its arguments in place of the image's own; no shell reads "
        "them.",
        examples=['["serve", "--port", "80"]'],
    )
    env: dict[VariableName, str] = Field(
        default_factory=dict,
        description="Its environment. Values are text: quote numbers. They are kept in clear in "
        "the engine and in the stored spec: put what is secret in a file and mount that.",
        examples=[{"MODE": "demo"}],
    )
    volumes: dict[VolumeName, str] = Field(
        default_factory=dict,
        description="Volumes by name and where the service finds each. They outlive it; services "
        "that name the same one share it. `jobctl down --volumes` deletes them.",
        examples=[{"pages": "/data"}],
    )
    mounts: Annotated[tuple[ServiceMount, ...], Field(strict=False)] = Field(
        default=(), description="Host folders that it sees."
    )
    ports: Annotated[tuple[Published, ...], Field(strict=False)] = Field(
        default=(),
        description="Ports it publishes on 127.0.0.1 of the engine's host, as HOST:CONTAINER. The "
        "cluster's own containers reach it by name and need none.",
        examples=[["8080:80"]],
    )
    health: Health | None = Field(
        default=None,
        description="How to tell whether it is healthy. null: nobody can wait for that, and the "
        "watchdog only sees that it runs.",
    )
    depends_on: dict[ServiceName, Literal["started", "healthy"]] = Field(
        default_factory=dict,
        description="What is brought up before it: `redis`, `master` or another service; "
        "`started` or `healthy`, which needs a health check there.",
        examples=[{"redis": "healthy"}],
    )
    cpus: Cpus = Field(default=0.5, description="Cap in cores.")
    memory: Annotated[Size, size_within("6MB")] = Field(
        default=128 << 20, description="Cap of the container (6MB or more); no swap on top."
    )
    pids: Pids = Field(default=64, description="Cap on processes and threads.")
    user: Annotated[str, Field(pattern=USER_PATTERN)] | None = Field(
        default=None,
        description='Who it runs as, by name or id: "1000", "1000:1000", nobody. null: as the '
        "image says.",
        examples=["1000:1000"],
    )
    restart: Literal["always", "never"] = Field(
        default="always",
        description="`always`: brought back whenever it ends. `never`: once it ended, it is left "
        "as it is until its settings change.",
    )

    @field_validator("volumes")
    @classmethod
    def _free_targets(cls, volumes: dict[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, path in volumes.items():
            if name in RESERVED_VOLUMES:
                raise ValueError(f"{name} is a volume of the cluster's own; take another name")
            try:
                target = _target(path)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            if target in found.values():
                raise ValueError(f"puts two volumes at {target}")
            found[name] = target
        return found

    @field_validator("mounts")
    @classmethod
    def _each_target_once(
        cls, mounts: tuple[ServiceMount, ...], info: ValidationInfo
    ) -> tuple[ServiceMount, ...]:
        volumes: dict[str, str] = info.data.get("volumes", {})
        taken = set(volumes.values())
        for mount in mounts:
            if mount.path in taken:
                text = f"puts a second folder or volume at {mount.path}"
                raise ConflictError(text, "volumes")
            taken.add(mount.path)
        return mounts

    @field_validator("ports")
    @classmethod
    def _each_port_once(cls, ports: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        hosts = [host for host, _ in ports]
        if twice := next((host for host in hosts if hosts.count(host) > 1), None):
            raise ValueError(f"publishes two ports at {twice} of the host")
        return ports
