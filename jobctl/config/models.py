"""The models of cluster.yaml. Sizes are bytes and durations seconds once they are loaded.

The reference in docs/ and the JSON Schema are generated from here (``jobctl.config.generate``), so
every field says what it means in words made for the person who writes the file.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from jobctl.config.agreement import check_services, check_sockets, check_watched
from jobctl.config.autoscale import Autoscale, Update
from jobctl.config.controller import Controller, Healing
from jobctl.config.jobs import Jobs
from jobctl.config.pools import Mount, Pool
from jobctl.config.retry import retries
from jobctl.config.schedules import Schedule, ScheduleName
from jobctl.config.services import Service, ServiceName
from jobctl.config.traffic import Queue, Rate, Retention
from jobctl.config.types import (
    PROJECT_PATTERN,
    ConflictError,
    Cpus,
    Duration,
    ImageName,
    Pids,
    PoolName,
    QueueName,
    Section,
    Size,
    absolute,
    lasts_at_least,
    size_within,
)
from jobctl.config.units import format_duration, format_size
from jobctl.config.watchdog import Watchdog, Webhook

__all__ = [
    "Autoscale",
    "Build",
    "Config",
    "Controller",
    "Healing",
    "Jobs",
    "Logs",
    "Master",
    "Mount",
    "Network",
    "Pool",
    "Queue",
    "Redis",
    "Retention",
    "Schedule",
    "Service",
    "Update",
    "Watchdog",
    "Webhook",
]


class Network(Section):
    """The cluster's own bridge network."""

    subnet: str | None = Field(
        default=None,
        description="The network's IPv4 range, /28 or wider. Without it the engine picks one.",
        examples=["172.30.0.0/24"],
    )

    @field_validator("subnet")
    @classmethod
    def _ipv4(cls, subnet: str | None) -> str | None:
        if subnet is None:
            return None
        try:
            network = ipaddress.IPv4Network(subnet, strict=False)
        except ValueError:
            raise ValueError("must be an IPv4 range such as 172.30.0.0/24") from None
        if str(network) != subnet:
            raise ValueError(f"must begin at the range's first address: {network}")
        if network.prefixlen > 28:
            raise ValueError("has too few addresses for a cluster; use /28 or wider")
        return subnet


class Redis(Section):
    """Redis, which holds every job: the one source of truth."""

    memory: Annotated[Size, size_within("32MB")] = Field(
        default=256 << 20, description="Cap of the container (32MB or more)."
    )
    maxmemory: Annotated[Size, size_within("8MB")] = Field(
        default=128 << 20,
        description="How much data Redis accepts before it refuses new jobs (it never drops any). "
        "At most 75% of `memory`: rewriting its file on disk needs room too.",
    )
    cpus: Cpus = Field(default=1.0, description="Cap in cores.")
    pids: Pids = Field(default=64, description="Cap on processes and threads.")
    durability: Literal["strict", "fast"] = Field(
        default="strict",
        description="`strict`: a job is on disk before its submit is acknowledged. `fast`: at most "
        "one second later, so the loss of the machine's power can cost that second.",
    )

    @field_validator("maxmemory")
    @classmethod
    def _leaves_room(cls, maxmemory: int, info: ValidationInfo) -> int:
        memory = info.data.get("memory")
        if memory is not None and maxmemory > memory * 3 // 4:
            raise ConflictError(
                f"must be at most 75% of redis.memory ({format_size(memory)}), which is "
                f"{format_size(memory * 3 // 4)}; it is {format_size(maxmemory)}",
                "memory",
            )
        return maxmemory


class Master(Section):
    """The master: the HTTP API that jobs go in through."""

    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8470, description="The port on 127.0.0.1 of the engine's host."
    )
    cpus: Cpus = Field(default=1.0, description="Cap in cores.")
    memory: Annotated[Size, size_within("96MB")] = Field(
        default=256 << 20, description="Cap of the container (96MB or more)."
    )
    pids: Pids = Field(default=128, description="Cap on processes and threads.")


class Logs(Section):
    """Rotation of the containers' own logs. The logs of jobs are kept apart, on a volume."""

    max_size: Annotated[Size, size_within("64KB")] = Field(
        default=10 << 20, description="Start a new file at this size (64KB or more)."
    )
    files: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3, description="How many files to keep per container."
    )


class Build(Section):
    """Where the images come from."""

    source: Literal["auto", "registry", "debian"] = Field(
        default="auto",
        description="`registry` starts from the official images below, `debian` builds the same "
        "from Debian packages, `auto` takes the registry where one answers.",
    )
    ca_bundle: str | None = Field(
        default=None,
        description="A PEM file with the certificate authorities to trust while building, for "
        "networks that inspect TLS. A relative path starts at the folder of cluster.yaml. Without "
        "it, SSL_CERT_FILE and then PIP_CERT of your environment are used, when set.",
        examples=["./company-ca.pem"],
    )
    base_image: ImageName = Field(
        default="python:3.11-slim-bookworm@sha256:"
        "a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b",
        description="The image that the master and the workers are built on, with Python 3.11.",
    )
    redis_image: ImageName = Field(
        default="redis:7.2-bookworm@sha256:"
        "e51cbc16f94b2426e80b9536db174a07d55e882217a1ec1d729b137b32e24e42",
        description="The image that Redis is built on; version 7.0 or later.",
    )

    @field_validator("ca_bundle")
    @classmethod
    def _readable(cls, ca_bundle: str | None, info: ValidationInfo) -> str | None:
        # Without a context the config comes from elsewhere than its file, say a stored spec, and
        # is perhaps read on another machine: then the file need not be here.
        if ca_bundle is None or not info.context:
            return ca_bundle
        path = absolute(ca_bundle, info)
        if not Path(path).is_file():
            raise ValueError(f"there is no file {path}")
        return path


class Config(Section):
    """A cluster, as cluster.yaml describes it."""

    name: Annotated[str, Field(pattern=PROJECT_PATTERN)] = Field(
        description="The name of the cluster (its project): what its containers, volumes and "
        "network begin with. Pick one that no other project on the engine has.",
        examples=["photo-farm"],
    )
    network: Network = Field(default=Network(), description="The cluster's own network.")
    redis: Redis = Field(default=Redis(), description="Redis, which holds every job.")
    master: Master = Field(default=Master(), description="The HTTP API.")
    workers: Annotated[dict[PoolName, Pool], Field(min_length=1)] = Field(
        default={"default": Pool()},
        description="The pools of workers, by name. A pool without settings gets the defaults.",
    )
    services: dict[ServiceName, Service] = Field(
        default_factory=dict,
        description="Containers of your own beside the cluster's, by name: what your jobs talk "
        "to, brought up, healed and watched with the rest.",
    )
    jobs: Jobs = Field(default=Jobs(), description="Defaults of every job.")
    queues: dict[QueueName, Queue] = Field(
        default_factory=dict,
        description="Limits of queues, by name. A queue that is not named here has none; queues "
        "need not be declared.",
    )
    client_rate: Rate | None = Field(
        default=None,
        description="How many jobs each submitting client may bring: beyond it, it is told when to "
        "try again (HTTP 429). null: no limit.",
        examples=["1000/s"],
    )
    schedules: dict[ScheduleName, Schedule] = Field(
        default_factory=dict, description="Jobs that are submitted by the clock, by name."
    )
    retention: Retention = Field(
        default=Retention(), description="How long ended jobs, their logs and outputs are kept."
    )
    lease: Annotated[Duration, lasts_at_least("1s")] = Field(
        default=10.0,
        description="How long a claimed job stays with a silent worker before another one gets it "
        "(1s or more).",
    )
    heartbeat: Annotated[Duration, lasts_at_least("100ms")] = Field(
        default=3.0,
        description="How often a worker renews its leases (100ms or more). Less than half of "
        "`lease`, so that one lost renewal costs nothing.",
    )
    controller: Controller = Field(
        default=Controller(), description="Who heals, scales and watches the cluster."
    )
    healing: Healing = Field(
        default=Healing(), description="How containers that ended are brought back."
    )
    watchdog: Watchdog = Field(
        default=Watchdog(), description="What is checked how, and who is told."
    )
    logs: Logs = Field(default=Logs(), description="Rotation of the containers' own logs.")
    build: Build = Field(default=Build(), description="Where the images come from.")

    @field_validator("services")
    @classmethod
    def _fit_together(
        cls, services: dict[str, Service], info: ValidationInfo
    ) -> dict[str, Service]:
        master: Master | None = info.data.get("master")
        check_services(services, master.port if master else None)
        return services

    @field_validator("controller")
    @classmethod
    def _has_the_socket_alone(cls, controller: Controller, info: ValidationInfo) -> Controller:
        services, workers = info.data.get("services", {}), info.data.get("workers", {})
        check_sockets(controller.socket, services, workers)
        return controller

    @field_validator("watchdog")
    @classmethod
    def _watches_what_there_is(cls, watchdog: Watchdog, info: ValidationInfo) -> Watchdog:
        if "services" in info.data and "workers" in info.data:
            check_watched(watchdog, info.data["services"], info.data["workers"])
        return watchdog

    @field_validator("schedules")
    @classmethod
    def _have_tries(
        cls, schedules: dict[str, Schedule], info: ValidationInfo
    ) -> dict[str, Schedule]:
        jobs: Jobs | None = info.data.get("jobs")
        for name, schedule in schedules.items():
            retry = schedule.job.retry
            once = jobs is not None and jobs.retry.max_attempts == 1
            if once and retry and retry.max_attempts is None and retries(retry.on or {}):
                raise ValueError(
                    f"{name}: job.retry.on has a rule that tries again, but max_attempts is 1"
                )
        return schedules

    @field_validator("heartbeat")
    @classmethod
    def _renews_in_time(cls, heartbeat: float, info: ValidationInfo) -> float:
        lease = info.data.get("lease")
        if lease is not None and heartbeat >= lease / 2:
            raise ConflictError(
                f"must be less than half of lease ({format_duration(lease)}); "
                f"it is {format_duration(heartbeat)}",
                "lease",
            )
        return heartbeat
