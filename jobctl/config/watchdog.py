"""The ``watchdog`` part of cluster.yaml: what is checked how, and who is told."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from jobctl.config.errors import ConfigError
from jobctl.config.services import Command, ServiceName
from jobctl.config.types import (
    Conflict,
    ConflictError,
    ConflictsError,
    Duration,
    Section,
    absolute,
    lasts_at_least,
)
from jobctl.config.units import format_duration

Event = Literal["finding", "remedy", "gave-up", "recovered"]
Port = Annotated[int, Field(ge=1, le=65535)]
Failures = Annotated[int, Field(ge=1, le=100)]
Timeout = Annotated[Duration, lasts_at_least("100ms")]

PATH_PATTERN = r"^/"

EVENTS: tuple[Event, ...] = ("finding", "remedy", "gave-up", "recovered")


def _text(value: object) -> object:
    """Refuse a secret that is no text without repeating it, as other messages would."""
    if value is not None and not isinstance(value, str | SecretStr):
        raise ValueError("must be text; put it in quotes")
    return value


class Webhook(Section):
    """Where messages about incidents are sent."""

    url: str = Field(
        description="Who gets them, by POST. It is kept in clear in the stored spec.",
        examples=["http://alerts.example:9000/jobctl"],
    )
    format: Literal["generic", "slack"] = Field(
        default="generic",
        description="`generic`: everything as JSON (docs/webhook.schema.json). `slack`: a text as "
        "Slack and those like it take it.",
    )
    secret: Annotated[SecretStr, BeforeValidator(_text), Field(min_length=1)] | None = Field(
        default=None,
        exclude=True,
        description="Signs each message (HMAC-SHA256), so that its receiver knows who sent it. "
        "Prefer `secret_file`: this file is often shared. Like that one's content it is kept on "
        "the secrets volume only, never in the stored spec, and `jobctl config show` leaves it "
        "out.",
    )
    secret_file: str | None = Field(
        default=None,
        description="Or a file that holds the secret, read at `jobctl up`. A relative path starts "
        "at the folder of cluster.yaml. Without either, messages are not signed.",
        examples=["./webhook.secret"],
    )
    timeout: Timeout = Field(
        default=5.0, description="How long an answer may take (100ms or more)."
    )
    retries: Annotated[int, Field(ge=0, le=100)] = Field(
        default=5,
        description="How often a message that did not arrive is sent again, with growing waits. A "
        "receiver that is away holds up nothing else.",
    )
    events: Annotated[tuple[Event, ...], Field(strict=False)] = Field(
        default=EVENTS,
        description="What is sent: `finding` (something is wrong), `remedy` (what is done about "
        "it), `gave-up`, `recovered`.",
        examples=[["gave-up", "recovered"]],
    )

    @field_validator("url")
    @classmethod
    def _over_http(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise ValueError("must be a URL that begins with http:// or https://")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not hold a user or password; sign with `secret_file` instead")
        return url

    @field_validator("secret_file")
    @classmethod
    def _readable(cls, secret_file: str | None, info: ValidationInfo) -> str | None:
        if secret_file is not None and info.data.get("secret") is not None:
            raise ConflictError("is one secret too many: there is `secret` already", "secret")
        if secret_file is None or not info.context:
            return secret_file  # from a stored spec: the secret is on the secrets volume
        path = absolute(secret_file, info)
        if not Path(path).is_file():
            raise ValueError(f"there is no file {path}")
        return path

    @field_validator("events")
    @classmethod
    def _each_once(cls, events: tuple[Event, ...]) -> tuple[Event, ...]:
        if not events:
            raise ValueError("must not be empty")
        if twice := next((event for event in events if events.count(event) > 1), None):
            raise ValueError(f"names {twice} twice")
        return events


def signing_secret(webhook: Webhook) -> str | None:
    """Return what messages are signed with, for `up` to put on the secrets volume.

    It comes from cluster.yaml or the file that this names; None when they are not signed. Only
    `up`, which has both, may call this. Raises ConfigError when the file is of no use.
    """
    if webhook.secret is not None:
        return webhook.secret.get_secret_value()
    if webhook.secret_file is None:
        return None
    try:
        text = Path(webhook.secret_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        raise ConfigError(
            f"The webhook's secret cannot be read: {webhook.secret_file} is empty or no text.",
            f"ls -l {webhook.secret_file}",
        )
    return text


class HttpCheck(Section):
    """A GET that must be answered with a status from 200 to 399."""

    port: Port = Field(description="The port inside the container.", examples=[8080])
    path: Annotated[str, Field(pattern=PATH_PATTERN)] = Field(default="/", description="The path.")


class Check(Section):
    """What is tried, besides the service's own health check: one of the three."""

    http: HttpCheck | None = Field(default=None, description="A GET to the service.")
    tcp: Port | None = Field(
        default=None, description="A connection to this port inside the container.", examples=[5432]
    )
    command: Command = Field(
        default=(),
        description="A command in the container that must end with exit code 0.",
        examples=['["pg_isready"]'],
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = (self.http is not None) + (self.tcp is not None) + bool(self.command)
        if given != 1:
            raise ValueError(f"needs one of `http`, `tcp` and `command`; it has {given or 'none'}")
        return self


class Watch(Section):
    """How one service is watched; what is not said is as in `watchdog`."""

    interval: Timeout | None = Field(default=None, description="As in `watchdog`.")
    timeout: Timeout | None = Field(default=None, description="As in `watchdog`.")
    failures: Failures | None = Field(default=None, description="As in `watchdog`.")
    check: Check | None = Field(
        default=None,
        description="What is tried of a service of your own. jobctl's parts have checks built in.",
    )
    diagnostics: Annotated[
        tuple[Annotated[Command, Field(min_length=1)], ...], Field(strict=False)
    ] = Field(
        default=(),
        description="Commands run in its container when a check failed, before anything is done; "
        "what they print is kept with the incident.",
        examples=[[["ps", "aux"]]],
    )
    restart: Literal["graceful", "force", "never"] = Field(
        default="graceful",
        description="`graceful`: told to end (a worker hands its jobs back), and forced only "
        "after `watchdog.grace`. `force`: killed at once. `never`: only reported.",
    )


class Watching(NamedTuple):
    """How one service is watched, nothing left open; times are seconds."""

    interval: float
    timeout: float
    failures: int
    check: Check | None
    diagnostics: tuple[tuple[str, ...], ...]
    restart: Literal["graceful", "force", "never"]


class Watchdog(Section):
    """Finds what runs but does not work: checks, diagnoses, restarts, and tells."""

    enabled: bool = Field(
        default=True, description="Whether it checks at all. Healing goes on without it."
    )
    interval: Timeout = Field(
        default=30.0, description="From one check of a service to the next (100ms or more)."
    )
    timeout: Timeout = Field(
        default=5.0,
        description="A check that takes longer has failed (100ms or more); at most `interval`.",
    )
    failures: Failures = Field(
        default=3, description="So many failures one after another make a finding."
    )
    cooldown: Duration = Field(
        default=60.0,
        description="After a remedy, how long a service is given before the next, sharper one.",
    )
    grace: Duration = Field(
        default=10.0, description="How long what is told to end may take before it is killed."
    )
    webhook: Webhook | None = Field(
        default=None, description="Who is told. null: `jobctl incidents` lists them all the same."
    )
    services: dict[ServiceName, Watch] = Field(
        default_factory=dict,
        description="What is different for one service: redis, master, worker (every pool; "
        "worker-gpu is the pool gpu alone), controller or one of `services`.",
    )

    @field_validator("timeout")
    @classmethod
    def _within_interval(cls, timeout: float, info: ValidationInfo) -> float:
        interval = info.data.get("interval")
        if interval is not None and timeout > interval:
            raise ConflictError(_too_long(timeout, interval), "interval")
        return timeout

    @field_validator("services")
    @classmethod
    def _each_within_interval(
        cls, services: dict[str, Watch], info: ValidationInfo
    ) -> dict[str, Watch]:
        interval, timeout = info.data.get("interval"), info.data.get("timeout")
        found = []
        for name, watch in services.items():
            longest, own = watch.interval or interval, watch.timeout or timeout
            if longest and own and own > longest:
                key = "timeout" if watch.timeout else "interval"
                found.append(Conflict(("services", name, key), _too_long(own, longest)))
        if found:
            raise ConflictsError(found)
        return services

    def of(self, service: str) -> Watching:
        """Return how a service is watched (``worker-gpu`` as ``worker`` unless it has its own)."""
        watch = self.services.get(service)
        if watch is None and service.startswith("worker-"):
            watch = self.services.get("worker")
        watch = watch or Watch()
        return Watching(
            watch.interval or self.interval,
            watch.timeout or self.timeout,
            watch.failures or self.failures,
            watch.check,
            watch.diagnostics,
            watch.restart,
        )


def _too_long(timeout: float, interval: float) -> str:
    return (
        f"must leave a check time to end before the next: timeout is {format_duration(timeout)}, "
        f"interval {format_duration(interval)}"
    )
