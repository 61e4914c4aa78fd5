"""Everything about the master that can be set: its environment and its secrets files.

The environment is written by jobctl.cluster: ``JOBCTL_PROJECT`` and ``JOBCTL_SETTINGS`` (a JSON
object with the fields of `Settings`). Durations are seconds, sizes are bytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class SettingsError(Exception):
    """The master cannot start with what it was given; one sentence says why."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BackoffDefaults(_Frozen):
    """Pause before a failed job runs again: ``base`` doubled per failure, at most ``cap``."""

    base: float = 1.0
    cap: float = 60.0
    jitter: float = 0.2


class JobDefaults(_Frozen):
    """What a submitted job gets where its spec says nothing."""

    max_attempts: int = 1
    timeout: float | None = None
    grace: float = 10.0
    backoff: BackoffDefaults = BackoffDefaults()
    retry_on: dict[str, Any] = Field(default_factory=dict)
    """Rules by cause, in the form of a job's ``retry.on``."""


class KeepRule(_Frozen):
    """How long ended jobs of one status are kept: until either bound is passed. null: no bound."""

    age: float | None = Field(default=None, gt=0)
    """Seconds since the job ended."""
    count: int | None = Field(default=None, ge=0)
    """How many of the latest."""


class RetentionRules(_Frozen):
    """When ended jobs are deleted, with their logs and outputs. Nothing said: never."""

    succeeded: KeepRule = KeepRule()
    failed: KeepRule = KeepRule()
    cancelled: KeepRule = KeepRule()


class RateRule(_Frozen):
    """A token bucket: so many a second on average, at most ``burst`` at once."""

    per_second: float = Field(gt=0)
    burst: int = Field(default=1, ge=1)


class QueueRules(_Frozen):
    """The rates of one queue; null: as fast as it goes."""

    start: RateRule | None = None
    """Jobs of the queue started by all workers together."""
    submit: RateRule | None = None
    """Jobs submitted to the queue by all clients together."""


class ScheduleRule(_Frozen):
    """A job that is submitted by the clock."""

    cron: str
    timezone: str = "UTC"
    """A name of the time zone database, such as Europe/Berlin."""
    missed: Literal["latest", "skip", "all"] = "latest"
    """What becomes of ticks that nobody was there for: the last one, none, or all are fired."""
    job: dict[str, Any]
    """What POST /jobs takes, but for what belongs to one single job: id, key, at, delay, array."""


class Limits(_Frozen):
    """Bounds that keep one request from taking the master's memory or time."""

    body_bytes: int = 4 * 1024 * 1024
    """One job as JSON: a spec of 1 MiB at most, in base64 or with its characters escaped."""
    batch_lines: int = 100_000
    """Jobs in one POST /jobs:batch; their ids are held in memory for the answer."""
    batch_chunk: int = 500
    """Jobs handed to the queue in one atomic call."""
    batch_chunk_bytes: int = 4 * 1024 * 1024
    wait: float = 60.0
    """The longest a request may wait for a job to end."""
    page: int = 1000
    """Jobs in one answer of a listing or of POST /jobs:status."""
    tail_lines: int = 100_000
    artifact_files: int = 10_000
    """Files shown in one listing of a job's artifacts."""
    read_block: int = 64 * 1024
    """Bytes read from a file at a time, and sent in one piece to a follower."""
    log_poll: float = 0.1
    """How often the log of a running job is looked at while somebody follows it."""
    stream_heartbeat: float = 10.0
    """A comment is sent on a silent stream this often, so that both ends notice a dead one."""
    stream_backlog: int = 1000
    """Events a slow follower of /events may be behind before its stream is closed."""
    tick_batch: int = 500
    """Jobs that one call moves at most when the keeper ticks."""
    prune_batch: int = 200
    """Ended jobs that one call deletes at most."""
    prune_interval: float = 10.0
    """How often ended jobs are looked through for those past their time."""
    missed_ticks: int = 100
    """Ticks of one schedule that are made up for at most: the latest ones."""
    backup_page: int = 200
    """Records of a backup that are read, or restored, in one call."""


class Settings(_Frozen):
    """The master's settings. The two secrets are kept out of its printed form."""

    project: str
    token: str = Field(repr=False, min_length=1)
    redis_password: str = Field(repr=False, min_length=1)
    redis_user: str = "master"
    redis_host: str = "redis"
    redis_port: int = 6379
    listen_host: str = "0.0.0.0"  # noqa: S104 - inside its container; published on 127.0.0.1 only
    listen_port: int = 8000
    jobs_dir: Path = Path("/jobctl/jobs")
    alive_file: Path = Path("/tmp/alive")  # noqa: S108 - the container's own tmpfs
    lease: float = 10.0
    heartbeat: float = 3.0
    tick_interval: float = 1.0
    defaults: JobDefaults = JobDefaults()
    retention: RetentionRules = RetentionRules()
    queues: dict[str, QueueRules] = Field(default_factory=dict)
    scaled: frozenset[str] = frozenset()
    """The queues that pools serve which an autoscaler sees to."""
    client_rate: RateRule | None = None
    """Jobs that one client may submit."""
    schedules: dict[str, ScheduleRule] = Field(default_factory=dict)
    limits: Limits = Limits()


def load_settings(environ: Mapping[str, str], secrets: Path = Path("/jobctl/secrets")) -> Settings:
    """Read the settings from the environment and the token and password from ``secrets``.

    Raises SettingsError naming the variable or file that is missing or wrong.
    """
    project = environ.get("JOBCTL_PROJECT", "")
    if not project:
        raise SettingsError("JOBCTL_PROJECT is not set")
    try:
        given: Any = json.loads(environ.get("JOBCTL_SETTINGS") or "{}")
    except ValueError as error:
        raise SettingsError(f"JOBCTL_SETTINGS is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise SettingsError("JOBCTL_SETTINGS is not a JSON object")
    own = {
        "project": project,
        "token": _secret(secrets / "token"),
        "redis_password": _secret(secrets / "redis-master"),
    }
    try:
        return Settings(**{**given, **own})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"JOBCTL_SETTINGS: {where}: {first['msg']}") from error


def _secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"cannot read the secret {path}: {error.strerror}") from error
