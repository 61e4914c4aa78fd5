"""The engine seam: what jobctl asks of a container engine, as data and one Protocol.

Nothing here imports the Docker SDK. Sizes are bytes, durations and timestamps are seconds
(timestamps since the epoch), CPU shares are cores (0.5 = half a core).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

State = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
Health = Literal["none", "starting", "healthy", "unhealthy"]


class EngineError(Exception):
    """Any failure of the engine: one sentence for the user, and the next command to try.

    Subclasses name the failures that callers act on; everything else is this class itself.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class EngineUnreachable(EngineError):
    """No engine answered at the endpoint."""


class EngineDenied(EngineError):
    """The endpoint exists but this user may not use it."""


class NotFound(EngineError):
    """The named object does not exist."""


class Conflict(EngineError):
    """The name is taken, or the object is in use."""


class PortTaken(EngineError):
    """A host port in the request is already bound by somebody else (``port`` 0: not known)."""

    def __init__(self, message: str, hint: str = "", port: int = 0) -> None:
        super().__init__(message, hint)
        self.port = port


class BuildFailed(EngineError):
    """An image build failed; ``log`` holds its last lines."""

    def __init__(self, message: str, log: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.log = log


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
    timeout: float = 3.0
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
    cap_add: tuple[str, ...] = ()
    read_only: bool = True
    restart: Literal["no", "unless-stopped"] = "unless-stopped"
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
    """What inspecting one container adds: how it ended, and its limits as the engine holds them."""

    id: str
    name: str
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
    memory: int
    memory_swap: int
    pids: int
    user: str
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


@dataclass(frozen=True)
class Network:
    """A user-defined network."""

    id: str
    name: str
    driver: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Volume:
    """A named volume."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Image:
    """A local image."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class EngineInfo:
    """Which engine answers, and what named it (``DOCKER_HOST``, ``context NAME``, ``default``)."""

    id: str
    version: str
    api: str
    endpoint: str
    source: str
    cpus: int
    memory: int
    cgroup: str


@dataclass(frozen=True)
class Executed:
    """The end of a command run inside a container (stdout and stderr interleaved)."""

    exit_code: int
    output: bytes


class Engine(Protocol):
    """A container engine. One instance serves one thread; ``clone`` makes another."""

    def clone(self) -> "Engine":
        """Return an independent client of the same engine, for another thread."""
        ...

    def close(self) -> None:
        """Release the connections."""
        ...

    def info(self) -> EngineInfo:
        """Describe the engine; raises EngineUnreachable or EngineDenied."""
        ...

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        """List containers in any state that carry all the labels."""
        ...

    def inspect(self, name: str) -> ContainerDetail | None:
        """Inspect one container by name or id; None when there is none."""
        ...

    def networks(self, labels: Mapping[str, str]) -> list[Network]:
        """List networks that carry all the labels."""
        ...

    def volumes(self, labels: Mapping[str, str]) -> list[Volume]:
        """List volumes that carry all the labels."""
        ...

    def volume(self, name: str) -> Volume | None:
        """Look up one volume by its exact name."""
        ...

    def image(self, ref: str) -> Image | None:
        """Look up a local image by tag or id."""
        ...

    def create_network(
        self, name: str, labels: Mapping[str, str], subnet: str | None = None
    ) -> str:
        """Create a bridge network; Conflict when the name is taken."""
        ...

    def remove_network(self, name: str) -> None:
        """Remove a network; success when it is already gone, Conflict while in use."""
        ...

    def connect(
        self, network: str, container: str, aliases: tuple[str, ...], address: str = ""
    ) -> None:
        """Connect a container to a network under the given aliases (and fixed address)."""
        ...

    def disconnect(self, network: str, container: str) -> None:
        """Disconnect a container from a network."""
        ...

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a named volume; an existing one is left as it is."""
        ...

    def remove_volume(self, name: str) -> None:
        """Remove a volume; success when it is already gone, Conflict while in use."""
        ...

    def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its id; Conflict when the name is taken."""
        ...

    def start(self, name: str) -> None:
        """Start a container; a running one is left as it is."""
        ...

    def stop(self, name: str, timeout: float) -> None:
        """SIGTERM, then SIGKILL after ``timeout`` seconds; success when it does not run."""
        ...

    def kill(self, name: str, signal: str = "SIGKILL") -> None:
        """Send a signal to the container's main process; Conflict when it does not run."""
        ...

    def pause(self, name: str) -> None:
        """Freeze all processes of a container."""
        ...

    def unpause(self, name: str) -> None:
        """Thaw a paused container."""
        ...

    def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a container (never its named volumes) and wait until its name is free.

        Success when it is already gone; Conflict when it runs and ``force`` is not given.
        """
        ...

    def put_archive(self, container: str, path: str, data: bytes) -> None:
        """Unpack a tar archive at a path of a container, running or not."""
        ...

    def get_archive(self, container: str, path: str) -> bytes | None:
        """Return a path of a container as a tar archive; None when either is missing."""
        ...

    def execute(self, container: str, argv: tuple[str, ...]) -> Executed:
        """Run a command inside a running container and wait for it."""
        ...

    def logs(
        self,
        container: str,
        *,
        tail: int | None = None,
        since: float | None = None,
        follow: bool = False,
    ) -> Iterator[bytes]:
        """Yield the container's output (stdout and stderr in order), then end or follow."""
        ...

    def build(
        self,
        tag: str,
        context: bytes,
        *,
        args: Mapping[str, str],
        labels: Mapping[str, str],
        no_cache: bool = False,
        on_line: Callable[[str], None] = lambda _line: None,
    ) -> str:
        """Build an image from a tar context and return its id; BuildFailed with the log."""
        ...

    def import_image(self, tag: str, tarball: str, labels: Mapping[str, str]) -> str:
        """Import a root file system from a tar file (a path) as a one-layer image."""
        ...

    def pull(self, ref: str) -> None:
        """Pull an image; NotFound or EngineError when no registry serves it."""
        ...

    def tag(self, source: str, target: str) -> None:
        """Give an image another tag."""
        ...
