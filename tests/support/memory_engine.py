"""The Engine protocol in memory, for tests of everything that stands on an engine.

tests/contract holds it to the behaviour of the real one. Tests set its ``world`` up, break it
(``world.fail``) and read what was done to it (``world.mutations``).
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace

from jobctl.engine.errors import Conflict, EngineError, NotFound
from jobctl.engine.model import (
    Container,
    ContainerDetail,
    ContainerSpec,
    EngineEvent,
    EngineInfo,
    Executed,
    State,
    Stats,
    Volume,
)
from tests.support import memory_files, memory_life
from tests.support.memory_events import MemoryEventStream
from tests.support.memory_files import FileTree
from tests.support.memory_images import MemoryImages
from tests.support.memory_networks import MemoryNetworks
from tests.support.memory_world import ALIVE, Box, World, mutating

_SIGNALS = {"SIGHUP": 1, "SIGINT": 2, "SIGKILL": 9, "SIGUSR1": 10, "SIGTERM": 15}
# The folders of any image that tests put files into.
_IMAGE_FOLDERS = frozenset({"/", "/data", "/etc", "/tmp", "/work"})


class MemoryEngine(MemoryNetworks, MemoryImages):
    """One client of a world; ``clone`` makes another of the same."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()

    def clone(self) -> "MemoryEngine":
        return MemoryEngine(self.world)

    def close(self) -> None:
        """Nothing to release."""

    def info(self) -> EngineInfo:
        return EngineInfo("memory", "1.0", "1.45", self.world.endpoint, "test", 2, 2 << 30, "2")

    # -- reading ---------------------------------------------------------------------------------

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        with self.world.changed:
            boxes = list(self.world.boxes.values())
            return [_row(box) for box in boxes if labels.items() <= box.spec.labels.items()]

    def inspect(self, name: str) -> ContainerDetail | None:
        with self.world.changed:
            box = self.world.find(name)
            return None if box is None else _detail(box)

    # -- the life of a container -----------------------------------------------------------------

    @mutating
    def create(self, spec: ContainerSpec) -> str:
        if spec.name in self.world.boxes:
            raise Conflict(f"The container name {spec.name} is already in use.")
        if (image := self.image(spec.image)) is None:
            raise NotFound(f"No such image: {spec.image}.")
        made = self.world.digest("container", spec.name, str(self.world.now()))
        box = Box(made, spec, image, self.world.now(), aliases=_memberships(spec))
        for mount in spec.mounts:
            if mount.kind == "volume":
                self.world.volumes.setdefault(mount.source, (Volume(mount.source, {}), FileTree()))
        self.world.boxes[spec.name] = box
        memory_life.tell(self.world, box, "create")
        return made

    @mutating
    def start(self, name: str) -> None:
        box = self.world.box(name)
        if box.state in {"running", "restarting"}:
            return
        if box.state == "paused":
            raise Conflict(f"Container {name} is paused.")
        box.restart_count = 0
        memory_life.begin(self.world, box)

    @mutating
    def stop(self, name: str, timeout: float) -> None:
        box = self.world.box(name)
        if box.state in ALIVE:
            self._end_by(box, "SIGTERM")
            memory_life.tell(self.world, box, "stop")
        elif box.state == "restarting":
            box.state = "exited"

    @mutating
    def kill(self, name: str, signal: str = "SIGKILL") -> None:
        box = self.world.box(name)
        if box.state == "restarting":
            box.state = "exited"
        elif box.state not in ALIVE:
            raise Conflict(f"Container {name} is not running.")
        else:
            self._end_by(box, signal)

    def _end_by(self, box: Box, signal: str) -> None:
        """End the program by a signal through the engine, which cancels the restart policy."""
        number = _SIGNALS[signal]
        memory_life.tell(self.world, box, "kill", signal=number)
        memory_life.end(self.world, box, 128 + number)

    @mutating
    def pause(self, name: str) -> None:
        self._switch(name, "running", "paused", "pause")

    @mutating
    def unpause(self, name: str) -> None:
        self._switch(name, "paused", "running", "unpause")

    def _switch(self, name: str, before: State, after: State, action: str) -> None:
        box = self.world.box(name)
        if box.state != before:
            raise Conflict(f"Container {name} is not {before}.")
        box.state = after
        memory_life.tell(self.world, box, action)

    @mutating
    def update(self, name: str, *, cpus: float, memory: int) -> None:
        box = self.world.box(name)
        box.spec = replace(box.spec, cpus=cpus, memory=memory)

    @mutating
    def remove(self, name: str, *, force: bool = False) -> None:
        if (box := self.world.find(name)) is None:
            return
        if box.state in ALIVE | {"restarting"} and not force:
            raise Conflict(f"Container {name} is running.")
        if box.state in ALIVE:
            self._end_by(box, "SIGKILL")
        del self.world.boxes[box.spec.name]
        memory_life.tell(self.world, box, "destroy")

    def stats(self, container: str) -> Stats | None:
        with self.world.changed:
            box = self.world.find(container)
            if box is None or box.state not in ALIVE:
                return None
            return replace(box.stats, memory_limit=box.stats.memory_limit or box.spec.memory)

    def events(self, labels: Mapping[str, str]) -> MemoryEventStream:
        return self.world.subscribe(labels)

    def recent_events(self, labels: Mapping[str, str], since: float) -> list[EngineEvent]:
        return self.world.told(labels, since)

    # -- inside a container ----------------------------------------------------------------------

    @mutating
    def put_archive(self, container: str, path: str, data: bytes) -> None:
        box = self.world.box(container)
        tree, inner, writable = self._place(box, path)
        if not (tree.has_folder(inner) or (tree is box.files and inner in _IMAGE_FOLDERS)):
            raise NotFound(f"Could not find {path} in container {container}.")
        if not writable:
            raise EngineError(f"{path} in container {container} is read-only.")
        for name, info, content in memory_files.unpack(data):
            target, file, _writable = self._place(box, posixpath.join(path, name))
            target.put(file, info, content)

    def get_archive(self, container: str, path: str) -> bytes | None:
        with self.world.changed:
            if (box := self.world.find(container)) is None:
                return None
            tree, inner = self._view(box, path)
            return memory_files.pack(tree, inner, posixpath.basename(path.rstrip("/")) or "/")

    def _view(self, box: Box, path: str) -> tuple[FileTree, str]:
        """Return a tree that holds a path, with what is mounted below it, and the path within."""
        below = posixpath.normpath(path).rstrip("/") + "/"
        mounts = [mount for mount in box.spec.mounts if mount.target.startswith(below)]
        if not mounts:
            return self._place(box, path)[:2]
        whole = FileTree(dict(box.files.entries))
        whole.make_folder(posixpath.normpath(path))
        for mount in mounts:
            whole.make_folder(mount.target)
            for name, entry in self._place(box, mount.target)[0].entries.items():
                whole.entries[mount.target + name] = entry
        return whole, posixpath.normpath(path)

    def _place(self, box: Box, path: str) -> tuple[FileTree, str, bool]:
        """Find the file system that holds a path, the path within it, whether it is writable."""
        path = posixpath.normpath(path)
        for mount in sorted(box.spec.mounts, key=lambda m: len(m.target), reverse=True):
            if path == mount.target or path.startswith(mount.target + "/"):
                if mount.kind == "volume":
                    tree = self.world.volumes[mount.source][1]
                else:
                    tree = self.world.host_folders.setdefault(mount.source, FileTree())
                return tree, path[len(mount.target) :] or "/", not mount.read_only
        return box.files, path, not box.spec.read_only

    @mutating
    def execute(self, container: str, argv: tuple[str, ...]) -> Executed:
        if self.world.box(container).state != "running":
            raise Conflict(f"Container {container} is not running.")
        if argv[0] not in self.world.programs:
            return Executed(126, f"{argv[0]}: not found".encode())
        return self.world.programs[argv[0]](container, argv)

    def logs(
        self,
        container: str,
        *,
        tail: int | None = None,
        since: float | None = None,
        follow: bool = False,
    ) -> Iterator[bytes]:
        with self.world.changed:
            box = self.world.box(container)
            chunks = [data for at, data in box.log if since is None or at >= since]
            end = len(box.log)
        if tail is not None:
            lines = b"".join(chunks).splitlines(keepends=True)
            chunks = lines[max(0, len(lines) - tail) :]
        return self._follow(box, chunks, end) if follow else iter(chunks)

    def _follow(self, box: Box, chunks: list[bytes], end: int) -> Iterator[bytes]:
        yield from chunks
        while new := self._printed_after(box, end):
            end += len(new)
            yield from new

    def _printed_after(self, box: Box, end: int) -> list[bytes]:
        """Wait for more output; none of it comes once the container has ended."""
        with self.world.changed:
            self.world.changed.wait_for(lambda: len(box.log) > end or box.state not in ALIVE)
            return [data for _at, data in box.log[end:]]


def _memberships(spec: ContainerSpec) -> dict[str, tuple[str, ...]]:
    shared = spec.network.startswith("container:")
    return {} if shared else {spec.network: spec.aliases}


def _row(box: Box) -> Container:
    return Container(
        id=box.id,
        name=box.spec.name,
        image=box.spec.image,
        image_id=box.image.id,
        state=box.state,
        labels=dict(box.spec.labels),
        created=box.created,
        health=box.health,
        addresses=dict(box.addresses),
        status=f"Exited ({box.exit_code})" if box.state == "exited" else box.state.capitalize(),
    )


def _detail(box: Box) -> ContainerDetail:
    spec = box.spec
    return ContainerDetail(
        id=box.id,
        name=spec.name,
        image_id=box.image.id,
        state=box.state,
        health=box.health,
        exit_code=box.exit_code,
        oom_killed=box.oom_killed,
        error="",
        started_at=box.started_at,
        finished_at=box.finished_at,
        restart_count=box.restart_count,
        pid=1 if box.state in ALIVE else 0,
        cpus=spec.cpus,
        cpu_weight=spec.cpu_weight,
        memory=spec.memory,
        memory_swap=spec.memory,
        pids=spec.pids,
        user=spec.user,
        groups=spec.groups,
        cap_add=spec.cap_add,
        cap_drop=("ALL",),
        security=("no-new-privileges",),
        read_only=spec.read_only,
        init=True,
        restart=spec.restart,
        env=tuple(f"{name}={value}" for name, value in sorted(spec.env.items())),
        ports=spec.ports,
        log_config={"max-size": spec.log_max_size, "max-file": str(spec.log_max_files)},
        labels=dict(spec.labels),
        addresses=dict(box.addresses),
        aliases=dict(box.aliases),
    )
