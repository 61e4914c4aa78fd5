"""The control volume's live faults, read and written through the engine.

They are written through a container of their own that is created, never started, and removed
again: that works whatever else of the cluster is broken, and its fixed name is the lock between
two that make or undo faults at the same moment.
"""

from __future__ import annotations

import time
from types import TracebackType

from jobctl.chaos import live, turns
from jobctl.chaos.errors import NotUndone
from jobctl.chaos.fault import LiveFault
from jobctl.cluster import labels, names, owner
from jobctl.cluster.archive import pack, unpack
from jobctl.cluster.errors import NotUp
from jobctl.cluster.spec import FOLDER as CONTROL
from jobctl.engine.model import Container, ContainerSpec, Mount
from jobctl.engine.protocol import Engine

_PATIENCE = 60.0
_POLL = 0.02
_MANY = 64
"""Files of faults that were undone that may lie there: to remove them takes a container."""
_HAVE_VOLUME = (names.CONTROLLER, names.MASTER)
_HAVE_SHELL = (names.MASTER, names.CONTROLLER, names.REDIS)


class Records:
    """The records of a project, held for writing from ``with`` to the end of it."""

    def __init__(
        self, engine: Engine, project: str, image: str, command: tuple[str, ...] = ("true",)
    ) -> None:
        self._engine = engine
        self._project = project
        self._image = image
        self._command = command
        self.name = carrier(project)

    def __enter__(self) -> Records:
        turns.create(self._engine, self._project, self._spec())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, Exception | KeyboardInterrupt):
            self._engine.remove(self.name, force=True)

    def read(self) -> tuple[LiveFault, ...]:
        """Return what is recorded as alive, oldest first."""
        return live.live_in(self._contents())

    def over(self) -> list[str]:
        """Return the ids of those that were undone, and whose files are still there."""
        return live.over_in(self._contents())

    def write(self, fault: LiveFault) -> None:
        """Record a fault, or replace its record."""
        self._engine.put_archive(self.name, "/", pack(live.files(fault)))

    def end(self, id_: str) -> None:
        """Record that a fault was undone."""
        if any(fault.id == id_ for fault in self.read()):
            self._engine.put_archive(self.name, "/", pack(live.over(id_)))

    def _contents(self) -> dict[str, bytes]:
        return unpack(self._engine.get_archive(self.name, f"/{live.FOLDER}"))

    def _spec(self) -> ContainerSpec:
        return ContainerSpec(
            name=self.name,
            image=self._image,
            command=self._command,
            network="none",
            aliases=(),
            cpus=0.5,
            memory=16 * 1024 * 1024,
            pids=16,
            labels=labels.for_seed(self._project, owner.current()),
            health=None,
            mounts=(Mount("volume", names.volume(self._project, "control"), f"/{CONTROL}"),),
            # The engine unpacks at "/" only where the root could be written.
            read_only=False,
            restart="no",
            user="0:0",
        )


def carrier(project: str) -> str:
    """Return the name of the container through which faults are recorded."""
    return names.container(project, "faults")


def image_of(rows: list[Container], project: str) -> str:
    """Return an image of the cluster with a shell's tools in it; raises NotUp."""
    by_service = {row.labels.get(labels.SERVICE, ""): row for row in rows}
    workers = (row for row in rows if labels.POOL in row.labels)
    found = next((by_service[one] for one in _HAVE_SHELL if one in by_service), None)
    row = found or next(workers, None)
    if row is None:
        raise NotUp(f"The cluster {project} is not up.", "jobctl up")
    return row.image


def read(engine: Engine, project: str, rows: list[Container]) -> tuple[LiveFault, ...]:
    """Return what is recorded; through whatever container has the volume, running or not."""
    for row in rows:
        if row.labels.get(labels.SERVICE) in _HAVE_VOLUME:
            return live.live_in(unpack(engine.get_archive(row.id, f"/{live.FOLDER}")))
    if not rows:
        return ()
    with Records(engine, project, image_of(rows, project)) as records:
        return records.read()


def end(engine: Engine, project: str, image: str, id_: str) -> None:
    """Record that a fault was undone; once there are many such, their files are removed."""
    with Records(engine, project, image) as held:
        held.end(id_)
        many = len(held.over()) > _MANY
    if many:
        sweep(engine, project, image)


def sweep(engine: Engine, project: str, image: str) -> None:
    """Remove the files of those that were undone. The engine cannot delete any, so `rm` runs."""
    with Records(engine, project, image) as held:
        found = held.over()
    if not found:
        return
    argv = ("rm", "-f", *(f"/{path}" for id_ in found for path in live.paths(id_)))
    with Records(engine, project, image, argv) as held:
        engine.start(held.name)
        if ended(engine, held.name) != 0:
            raise NotUndone("The records of faults that are over could not be removed.", _HEAL)


def ended(engine: Engine, name: str, within: float = _PATIENCE) -> int:
    """Wait for a container's end and return its exit code; raises NotUndone."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        detail = engine.inspect(name)
        if detail is None:
            break
        if detail.state in ("exited", "dead"):
            return detail.exit_code
        time.sleep(_POLL)
    raise NotUndone(f"{name} did not come to its end.", _HEAL)


_HEAL = "jobctl chaos heal"
