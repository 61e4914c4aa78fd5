"""The ``workers`` part of cluster.yaml: pools of equal workers and the host folders they see."""

import os.path
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from jobctl.config.autoscale import MAX_REPLICAS, Autoscale, Update
from jobctl.config.mounts import host_folder
from jobctl.config.types import (
    Cpus,
    Duration,
    ImageName,
    Pids,
    QueueName,
    Section,
    Size,
    VariableName,
    absolute,
    size_within,
)

__all__ = ["MAX_REPLICAS", "PYTHON_PATTERN", "RESERVED_TARGETS", "Mount", "Pool"]

PYTHON_PATTERN = r"^(/[^\s:]*)?[A-Za-z0-9_][A-Za-z0-9_.+-]*$"

# A mount over any of these would hide jobctl, its secrets or the system it runs on.
RESERVED_TARGETS = (
    *("/bin", "/boot", "/dev", "/etc", "/jobctl", "/lib", "/lib64", "/opt/jobctl", "/opt/pool"),
    *("/proc", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var"),  # noqa: S108 - kept free
)


def _repeated(names: Iterable[str]) -> str | None:
    """Return the first name that occurs more than once."""
    counts = Counter(names)
    return next((name for name, count in counts.items() if count > 1), None)


def _present(path: str, info: ValidationInfo, test: Callable[[Path], bool], kind: str) -> str:
    """Resolve a path of this machine; raises ValueError when it is not there.

    Without a context the config comes from a stored spec, perhaps of another machine.
    """
    if not info.context:
        return path
    found = absolute(path, info)
    if not test(Path(found)):
        raise ValueError(f"there is no {kind} {found}")
    return found


class Mount(Section):
    """A folder of the engine's host that the jobs of a pool can see."""

    host: str = Field(
        description="The folder (or file) on the host. A relative path starts at the folder of "
        "cluster.yaml; `~` is your home folder.",
        examples=["./data", "~/photos", "/srv/files"],
        min_length=1,
    )
    path: str = Field(
        description="Where jobs find it: an absolute path, outside the folders of the system and "
        "of jobctl.",
        examples=["/data"],
    )
    write: bool = Field(
        default=False,
        description="Let jobs change it. Jobs run as users of their own unless the pool says "
        "`user: caller`, so the folder's permissions must allow it too.",
    )

    @field_validator("host")
    @classmethod
    def _absolute(cls, host: str, info: ValidationInfo) -> str:
        return host_folder(host, info, "to every job")

    @field_validator("path")
    @classmethod
    def _free(cls, path: str) -> str:
        target = PurePosixPath(os.path.normpath(path))
        if not target.is_absolute():
            raise ValueError("must be an absolute path in the container, such as /data")
        for taken in map(PurePosixPath, RESERVED_TARGETS):
            if target.is_relative_to(taken) or taken.is_relative_to(target):
                raise ValueError(f"would hide {taken} of the container; take a path such as /data")
        return str(target)


class Pool(Section):
    """A pool of equal workers: worker-1, worker-2, … (in a pool `gpu`: worker-gpu-1, …)."""

    replicas: Annotated[int, Field(ge=0, le=MAX_REPLICAS)] = Field(
        default=3,
        description="How many workers, at most 500. `jobctl scale` overrides it. With `autoscale` "
        "only how many there are at first, within its bounds.",
    )
    cpus: Cpus = Field(default=0.5, description="Cap of each worker in cores: 0.5 is half a core.")
    memory: Annotated[Size, size_within("64MB")] = Field(
        default=128 << 20,
        description="Cap of each worker, its jobs and its /tmp together (64MB or more). There is "
        "no swap on top. A job that goes over it ends with cause `oom`.",
    )
    pids: Pids = Field(
        default=128, description="Cap on the processes and threads of each worker and its jobs."
    )
    tmp: Annotated[Size, size_within("1MB", "12MB")] = Field(
        default=12 << 20,
        description="Size of /tmp, 1MB to 12MB. It is memory and counts towards `memory`; large "
        "files belong in the job's output folder.",
    )
    concurrency: Annotated[int, Field(ge=1, le=64)] = Field(
        default=2, description="How many jobs each worker runs at the same time."
    )
    image: ImageName | None = Field(
        default=None,
        description="An image of your own that jobs run in: any Linux distribution with a shell, "
        "with or without Python. jobctl adds its own runtime, which touches nothing of yours. "
        "Without it, jobs run in jobctl's image, with Python 3.11.",
        examples=["registry.example/team/app:1.4"],
    )
    code: str | None = Field(
        default=None,
        description="A folder with the Python code of your functions, copied into the pool's image "
        "and put on the import path. A relative path starts at the folder of cluster.yaml.",
        examples=["./src"],
    )
    requirements: str | None = Field(
        default=None,
        description="A requirements.txt, installed into the pool's image for the pool's own "
        "Python. A relative path starts at the folder of cluster.yaml.",
        examples=["./requirements.txt"],
    )
    python: Annotated[str, Field(pattern=PYTHON_PATTERN)] = Field(
        default="python3",
        description="The Python that functions run under, 3.9 or later: a name on the image's "
        "PATH, or an absolute path in the image.",
        examples=["python3.13", "/opt/venv/bin/python"],
    )
    queues: Annotated[tuple[QueueName, ...], Field(strict=False, min_length=1)] = Field(
        default=("default",),
        description="The queues these workers take jobs from, most important first.",
        examples=[["urgent", "default"]],
    )
    env: dict[VariableName, str] = Field(
        default_factory=dict,
        description="Environment variables of every job in this pool. Values are text: quote "
        "numbers. Names that begin with JOBCTL_ are taken.",
        examples=[{"MODE": "batch", "LEVEL": "3"}],
    )
    mounts: Annotated[tuple[Mount, ...], Field(strict=False)] = Field(
        default=(), description="Host folders that the jobs of this pool see."
    )
    user: Literal["job", "caller"] = Field(
        default="job",
        description="Who jobs run as: `job` is a separate user for every slot of every worker; "
        "`caller` is whoever runs `jobctl up` (never root), so that jobs can write to your mounted "
        "folders.",
    )
    grace: Duration = Field(
        default=10.0,
        description="How long a worker that is told to stop lets its jobs go on before it hands "
        "them back to the queue.",
    )
    autoscale: Autoscale | None = Field(
        default=None,
        description="Let the controller choose how many workers there are. null: as many as "
        "`replicas` says.",
    )
    update: Update = Field(
        default=Update(), description="How workers are replaced when their settings change."
    )

    @property
    def first_replicas(self) -> int:
        """How many workers there are at first: ``replicas``, within the bounds of ``autoscale``."""
        return self.autoscale.clamped(self.replicas) if self.autoscale else self.replicas

    @field_validator("queues")
    @classmethod
    def _each_queue_once(cls, queues: tuple[str, ...]) -> tuple[str, ...]:
        if twice := _repeated(queues):
            raise ValueError(f"names the queue {twice!r} twice")
        return queues

    @field_validator("code")
    @classmethod
    def _a_folder(cls, code: str | None, info: ValidationInfo) -> str | None:
        return code and _present(code, info, Path.is_dir, "folder")

    @field_validator("requirements")
    @classmethod
    def _a_file(cls, requirements: str | None, info: ValidationInfo) -> str | None:
        return requirements and _present(requirements, info, Path.is_file, "file")

    @field_validator("env")
    @classmethod
    def _own_names(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if name.startswith("JOBCTL_"):
                raise ValueError(f"must not set {name}: names with JOBCTL_ belong to jobctl")
        return env

    @field_validator("mounts")
    @classmethod
    def _each_target_once(cls, mounts: tuple[Mount, ...]) -> tuple[Mount, ...]:
        if twice := _repeated(mount.path for mount in mounts):
            raise ValueError(f"puts two folders at {twice}")
        return mounts
