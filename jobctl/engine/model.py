"""What jobctl asks of a container engine and what it is told, as plain data.

Sizes are bytes, durations and timestamps are seconds (timestamps since the epoch), CPU shares are
cores (0.5 = half a core).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
Kind = Literal["container", "network", "volume"]
Health = Literal["none", "starting", "healthy", "unhealthy"]


@dataclass(frozen=True)
class Mount:
    """A named volume or a host folder inside a container."""

    kind: Literal["volume", "bind"]
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class HealthCheck:
    """A command run inside the container; exit code 0 means healthy."""

    command: tuple[str, ...]
    interval: float = 10.0
    # Generous: on a host without a free core the start of a shell alone takes seconds.
    timeout: float = 10.0
    retries: int = 3
    start_period: float = 10.0


@dataclass(frozen=True)
class Port:
    """A container port published on one address of the host."""

    host_ip: str
    host_port: int
    container_port: int


@dataclass(frozen=True)
class ContainerSpec:
    """Everything that a container of ours is created with.

    All capabilities are dropped but ``cap_add``; no-new-privileges, ``init`` and equal memory and
    swap limits are not optional and therefore have no field. ``command`` is the whole argv: the
    image's entrypoint does not apply to it (an empty one means what the image says).
    ``cpu_weight`` counts where processors are short: twice the weight, twice the share (2 to
    262144; the engine's usual one is 1024). ``groups`` are ids or names of supplementary groups.
    The ``network`` ``container:ID`` is that of another container, as it sees it itself.
    """

    name: str
    image: str
    command: tuple[str, ...]
    network: str
    aliases: tuple[str, ...]
    cpus: float
    memory: int
    pids: int
    labels: Mapping[str, str]
    health: HealthCheck | None
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    user: str = ""
    groups: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    cpu_weight: int = 1024
    read_only: bool = True
    restart: Literal["no", "unless-stopped", "always"] = "unless-stopped"
    stop_timeout: int = 10
    log_max_size: str = "10m"
    log_max_files: int = 3


@dataclass(frozen=True)
class Container:
    """One row of the engine's container list."""

    id: str
    name: str
    image: str
    image_id: str
    state: State
    labels: Mapping[str, str]
    created: float
    health: Health = "none"
    addresses: Mapping[str, str] = field(default_factory=dict)
    status: str = ""


@dataclass(frozen=True)
class ContainerDetail:
    """What inspecting one container adds: how it ended, and its limits as the engine holds them.

    ``aliases`` is what the container is called in each network that it is a member of: who
    disconnects it must read them first, for the engine forgets them.
    """

    id: str
    name: str
    image_id: str
    state: State
    health: Health
    exit_code: int
    oom_killed: bool
    error: str
    started_at: float
    finished_at: float
    restart_count: int
    pid: int
    cpus: float
    cpu_weight: int
    memory: int
    memory_swap: int
    pids: int
    user: str
    groups: tuple[str, ...]
    cap_add: tuple[str, ...]
    cap_drop: tuple[str, ...]
    security: tuple[str, ...]
    read_only: bool
    init: bool
    restart: str
    env: tuple[str, ...]
    ports: tuple[Port, ...]
    log_config: Mapping[str, str]
    labels: Mapping[str, str]
    addresses: Mapping[str, str]
    aliases: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Stats:
    """What one running container has used since its start, in one look.

    ``periods`` are those in which it wanted the processor, ``throttled_periods`` those of them in
    which its share was used up; ``memory`` leaves out the file cache that it can do without.
    ``oom_kills`` is None where the engine does not say (any of cgroup v1): no proof of none.
    """

    cpu_seconds: float
    throttled_seconds: float
    throttled_periods: int
    periods: int
    memory: int
    memory_limit: int
    pids: int
    oom_kills: int | None


@dataclass(frozen=True)
class EngineEvent:
    """Something that just happened on the engine.

    ``action`` is the engine's word (create, start, die, oom, kill, stop, restart, pause, unpause,
    health_status, destroy; for networks also connect and disconnect); ``detail`` is what it says
    beyond that: the health, or the id of the container that (dis)connects. ``exit_code`` comes
    with die and ``signal`` with kill. ``time`` is the engine's clock.
    """

    kind: Kind
    action: str
    id: str
    name: str
    labels: Mapping[str, str]
    time: float
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Network:
    """A user-defined network."""

    id: str
    name: str
    driver: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Volume:
    """A named volume; ``options`` are its driver's (a device, a size), none for a plain folder."""

    name: str
    labels: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Image:
    """A local image."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class EngineInfo:
    """Which engine answers, and what named it (``DOCKER_HOST``, ``context NAME``, ``default``).

    ``host`` and ``kernel`` are the name and the kernel's release of the machine that it runs on,
    ``security`` how it confines containers (``name=rootless``).
    """

    id: str
    version: str
    api: str
    endpoint: str
    source: str
    cpus: int
    memory: int
    cgroup: str
    host: str = ""
    kernel: str = ""
    security: tuple[str, ...] = ()


@dataclass(frozen=True)
class Executed:
    """The end of a command run inside a container (stdout and stderr interleaved)."""

    exit_code: int
    output: bytes
