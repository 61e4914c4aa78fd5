"""What an in-memory engine holds: shared by all clients of it, and open to tests to set up."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from hashlib import sha256
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from jobctl.engine.errors import EngineError, NotFound
from jobctl.engine.model import (
    ContainerSpec,
    Executed,
    Health,
    Image,
    Network,
    State,
    Stats,
    Volume,
)
from tests.support import memory_life
from tests.support.memory_events import Telling
from tests.support.memory_files import FileTree

_IDLE = Stats(0.01, 0.0, 0, 0, memory=1 << 20, memory_limit=0, pids=1, oom_kills=None)
ALIVE: frozenset[State] = frozenset({"running", "paused"})


@dataclass
class Box:
    """A container, its own files, and its place in each network (aliases and address)."""

    id: str
    spec: ContainerSpec
    image: Image
    created: float
    files: FileTree = field(default_factory=FileTree)
    state: State = "created"
    health: Health = "none"
    exit_code: int = 0
    oom_killed: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    restart_count: int = 0
    stats: Stats = _IDLE
    log: list[tuple[float, bytes]] = field(default_factory=list)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mutation:
    """One mutating call that reached the engine."""

    call: str
    subject: str


@dataclass
class Fault:
    """Raise ``error`` at the nth mutating call of a kind ("*": of any), instead of it or after."""

    call: str
    nth: int
    error: BaseException
    after: bool
    seen: int = 0

    def hits(self, call: str) -> bool:
        self.seen += self.call in {"*", call}
        return self.call in {"*", call} and self.seen == self.nth


class Killed(BaseException):
    """The death of the client between two calls (kill -9); no handler for errors catches it."""


Program = Callable[[str, tuple[str, ...]], Executed]


class World(Telling):
    """The state of one engine. ``changed`` guards everything and is notified at every change.

    Without a ``clock`` time moves by a second at every look: no two moments are equal.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        super().__init__()
        self.now = clock or self._tick
        self.changed = threading.Condition(threading.RLock())
        self.endpoint = "memory://"
        self.boxes: dict[str, Box] = {}
        self.networks: dict[str, Network] = {}
        self.volumes: dict[str, tuple[Volume, FileTree]] = {}
        self.host_folders: dict[str, FileTree] = {}
        # Those of the host that containers may use: path → group.
        self.sockets: dict[str, int] = {"/var/run/docker.sock": 106}
        self.images: dict[str, Image] = {}
        self.registry: dict[str, Image] = {}
        self.foreign_ports: set[int] = set()
        self.mutations: list[Mutation] = []
        self.faults: list[Fault] = []
        self.holds_restarts = False
        self.on_start: Callable[[str], None] = lambda _name: None
        # Commands that end at once, as main program or through execute; all others run on.
        self.programs: dict[str, Program] = {
            "true": lambda _name, _argv: Executed(0, b""),
            "false": lambda _name, _argv: Executed(1, b""),
            "echo": lambda _name, argv: Executed(0, " ".join(argv[1:]).encode() + b"\n"),
        }
        self._ticks = 0

    # -- for tests -------------------------------------------------------------------------------

    def fail(
        self, call: str, nth: int = 1, error: BaseException | None = None, *, after: bool = False
    ) -> None:
        """Arrange a fault; ``error`` defaults to an EngineError."""
        self.faults.append(Fault(call, nth, error or EngineError(f"{call} fails."), after))

    def add_image(self, tag: str) -> Image:
        """Put an image there that nobody built."""
        image = Image(f"sha256:{self.digest('image', tag)}", (tag,), {})
        self.images[tag] = image
        return image

    def set_health(self, name: str, health: Health) -> None:
        """Let a container's health check come to a result."""
        with self.changed:
            memory_life.set_health(self, self.box(name), health)

    def set_stats(self, name: str, **changes: Any) -> None:
        """Change some of what a container has used."""
        with self.changed:
            box = self.box(name)
            box.stats = replace(box.stats, **changes)

    def write_log(self, name: str, data: bytes) -> None:
        """Let a container print something."""
        with self.changed:
            self.box(name).log.append((self.now(), data))
            self.changed.notify_all()

    def end(self, name: str, exit_code: int, *, oom_killed: bool = False) -> None:
        """Let a container's main process end, and stay ended whatever its restart policy."""
        with self.changed:
            memory_life.end(self, self.box(name), exit_code, oom=oom_killed)

    def crash(self, name: str, exit_code: int = 137, *, oom: bool = False) -> None:
        """Let a container's main process die by itself: its restart policy brings it back.

        At once, unless ``holds_restarts``: then it is `restarting` until ``come_back``.
        """
        with self.changed:
            memory_life.crash(self, self.box(name), exit_code, oom=oom)

    def come_back(self, name: str) -> None:
        """End the wait of a container that is `restarting`."""
        with self.changed:
            memory_life.come_back(self, self.box(name))

    # -- for the engine --------------------------------------------------------------------------

    def _tick(self) -> float:
        self._ticks += 1
        return 1_700_000_000.0 + self._ticks

    def digest(self, *parts: str) -> str:
        """Return a 64-digit id."""
        return sha256("\0".join(parts).encode()).hexdigest()

    def find(self, name: str) -> Box | None:
        """Look a container up by name, id, or the beginning of its id (12 digits or more)."""
        if name in self.boxes:
            return self.boxes[name]
        by_id = (b for b in self.boxes.values() if len(name) >= 12 and b.id.startswith(name))
        return next(by_id, None)

    def box(self, name: str) -> Box:
        """Look a container up; NotFound."""
        if (box := self.find(name)) is None:
            raise NotFound(f"No such container: {name}.")
        return box

    @contextmanager
    def mutation(self, call: str, subject: str) -> Iterator[None]:
        """Record one mutating call, and raise what was arranged for it."""
        with self.changed:
            hits = [fault for fault in self.faults if fault.hits(call)]
            for fault in hits:
                if not fault.after:
                    raise fault.error
            self.mutations.append(Mutation(call, subject))
            yield
            self.changed.notify_all()
            for fault in hits:
                raise fault.error


class HasWorld(Protocol):
    """A client of a world."""

    world: World


_Client = TypeVar("_Client", bound=HasWorld)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def mutating(
    method: Callable[Concatenate[_Client, _P], _R], /
) -> Callable[Concatenate[_Client, _P], _R]:
    """Make a client's method one recorded, atomic mutation; its first argument is the subject."""

    @wraps(method)
    def call(client: _Client, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        first = next(iter((*args, *kwargs.values())))
        with client.world.mutation(method.__name__, str(getattr(first, "name", first))):
            return method(client, *args, **kwargs)

    return call
