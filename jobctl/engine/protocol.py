"""The engine seam: one Protocol, which the Docker engine and the tests' in-memory one fulfil.

Nothing here imports the Docker SDK.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from jobctl.engine.model import (
    Container,
    ContainerDetail,
    ContainerSpec,
    EngineEvent,
    EngineInfo,
    Executed,
    Image,
    Network,
    Stats,
    Volume,
)


class EventStream(Protocol):
    """What happens on an engine, as it happens: iterate in one thread, close from any.

    The end of the iteration is the end of the connection, whether it was closed or dropped.
    """

    def __iter__(self) -> Iterator[EngineEvent]:
        """Wait for events, in the order in which the engine tells them."""
        ...

    def close(self) -> None:
        """End the iteration, also one that waits in another thread; again is no error."""
        ...


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

    def images(self, labels: Mapping[str, str]) -> list[Image]:
        """List local images that carry all the labels."""
        ...

    def remove_image(self, tag: str) -> None:
        """Remove a tag, and its image with the last one; success when it is already gone.

        Conflict while a container uses it.
        """
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

    def update(self, name: str, *, cpus: float, memory: int) -> None:
        """Give a container, running or not, other caps: cores, and bytes of memory with swap.

        EngineError when it uses more memory than it is to have.
        """
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

    def stats(self, container: str) -> Stats | None:
        """Say what a container has used so far; None when it does not run."""
        ...

    def events(self, labels: Mapping[str, str]) -> EventStream:
        """Subscribe, on a connection of its own, to what happens to whatever carries the labels.

        Nothing that happens after the return is missed while the connection holds. What happened
        before is not told: subscribe, then list. The engine tells no labels of networks and
        volumes, so their events come only when no labels are asked for.
        """
        ...

    def recent_events(self, labels: Mapping[str, str], since: float) -> list[EngineEvent]:
        """Return what happened since an instant (s, of the engine's clock), oldest first.

        As far as the engine remembers, which is a few hundred events of everybody and nothing from
        before its own start.
        """
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
