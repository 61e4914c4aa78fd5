"""What one worker process is told at its start, and what follows from it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Each worker owns 64 consecutive UIDs, one per slot, so two jobs never share one. Functions
# have their own, as their executor waits in the slot while commands run there. There is room
# for those of 200 workers below 65536; the next 200 have the same, in containers apart.
MAX_SLOTS = 64
_FIRST_COMMAND_UID = 20_000
_FIRST_FUNCTION_UID = 52_100
_FUNCTION_WORKERS = 200


class SettingsError(Exception):
    """The environment does not describe a worker; `hint` is the next command to try."""

    hint = "jobctl up"


@dataclass(frozen=True)
class JobUser:
    """Who a job's processes run as. `shared`: all jobs of the worker run as the same UID."""

    uid: int
    gid: int
    shared: bool = False


@dataclass(frozen=True)
class Paths:
    """Where things are inside the worker's container."""

    jobs: Path = Path("/jobctl/jobs")
    run: Path = Path("/run/jobctl")
    secret: Path = Path("/jobctl/secrets/redis-worker")
    # All that a job can write to besides its output, and that outlives it.
    scratch: tuple[Path, ...] = (Path("/tmp"), Path("/dev/shm"), Path("/dev/mqueue"))  # noqa: S108

    @property
    def alive(self) -> Path:
        """The file whose age tells the health check that the supervisor lives."""
        return self.run / "alive"


@dataclass(frozen=True)
class Settings:
    """One worker's identity and limits; durations are seconds.

    `isolate` gives every slot UIDs of its own and the files to the master's group. It is
    off only where the supervisor may not change owners, as in the unit tests. `python` runs
    the functions, with the folders of `code` on its path; `warm`: an executor is started
    before the first function comes.
    """

    project: str
    name: str
    pool: str
    container: str
    concurrency: int = 2
    queues: tuple[str, ...] = ("default",)
    heartbeat: float = 3.0
    grace: float = 10.0
    caller: tuple[int, int] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    master_gid: int = 10_001
    isolate: bool = True
    python: str = "python3"
    code: str | None = None
    warm: bool = False
    redis: tuple[str, int] = ("redis", 6379)
    paths: Paths = Paths()
    # Unique to this process: a new one proves the former holder of the name dead.
    nonce: str = field(default_factory=lambda: os.urandom(6).hex())

    @property
    def incarnation(self) -> str:
        """This process of this worker, as the leases know it."""
        return f"{self.name}.{self.nonce}"

    @property
    def ordinal(self) -> int:
        """The number at the end of the worker's name."""
        return int(self.name.rsplit("-", 1)[-1])

    @property
    def import_path(self) -> tuple[str, ...]:
        """Where functions are imported from: the pool's code, then what it requires."""
        return (f"{self.code}/src", f"{self.code}/site") if self.code is not None else ()

    @property
    def reader_gid(self) -> int | None:
        """The group that may read logs and outputs; None leaves files as they are."""
        return self.master_gid if self.isolate else None

    def command_user(self, slot: int) -> JobUser | None:
        """Who runs the commands of this slot; None means the supervisor's own user."""
        return self._user(_FIRST_COMMAND_UID + self.ordinal * MAX_SLOTS + slot)

    def function_user(self, slot: int) -> JobUser | None:
        """Who runs the functions of this slot; None means the supervisor's own user."""
        worker = self.ordinal % _FUNCTION_WORKERS
        return self._user(_FIRST_FUNCTION_UID + worker * MAX_SLOTS + slot)

    def _user(self, number: int) -> JobUser | None:
        if not self.isolate:
            return None
        if self.caller is not None:
            return JobUser(*self.caller, shared=True)
        return JobUser(number, number)


def from_environment(environ: Mapping[str, str], hostname: str) -> Settings:
    """Reads JOBCTL_PROJECT, _WORKER, _POOL and the JSON in JOBCTL_SETTINGS."""
    try:
        told = json.loads(environ["JOBCTL_SETTINGS"])
        name = environ["JOBCTL_WORKER"]
        caller = told.get("job_user")
        settings = Settings(
            project=environ["JOBCTL_PROJECT"],
            name=name,
            pool=environ.get("JOBCTL_POOL", "default"),
            container=hostname,
            queues=tuple(told.get("queues", ["default"])),
            caller=(int(caller[0]), int(caller[1])) if caller is not None else None,
            env={str(k): str(v) for k, v in told.get("env", {}).items()},
            python=str(told.get("python", "python3")),
            code=str(told["code"]) if told.get("code") is not None else None,
            warm=bool(told.get("warm", told.get("code") is not None)),
            **_numbers(told),
        )
    except KeyError as missing:
        raise SettingsError(f"The worker's environment lacks {missing.args[0]}.") from None
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise SettingsError(f"The worker's settings cannot be read: {error}.") from None
    return _checked(settings)


def _numbers(told: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {"concurrency": int, "heartbeat": float, "grace": float}
    kinds["master_gid"] = int
    return {key: kind(told[key]) for key, kind in kinds.items() if key in told}


def _checked(settings: Settings) -> Settings:
    if not re.search(r"-\d+$", settings.name):
        raise SettingsError(f"The worker's name {settings.name!r} does not end in a number.")
    if not 1 <= settings.concurrency <= MAX_SLOTS:
        raise SettingsError(f"A worker's concurrency must be between 1 and {MAX_SLOTS}.")
    if settings.caller is not None and settings.caller[0] == 0:
        # UID 0 could read the cluster's secrets and end the supervisor.
        raise SettingsError("A pool with `user: caller` cannot run its jobs as root.")
    return settings
