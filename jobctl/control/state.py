"""What the controller says of itself: `state.json` in its folder, for `ps`, `autoscale` and itself.

One file, replaced as a whole. Whoever finds it past ``until`` knows that nobody writes it any more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jobctl.cluster import labels, names, spec, state
from jobctl.cluster.archive import unpack
from jobctl.control.healing import Condition
from jobctl.engine.model import Container
from jobctl.engine.protocol import Engine

FILE = "state.json"
FOLDER = names.CONTROLLER
"""The controllers' own folder, on the control volume as on a host."""

SCHEMA = 1

_BEAT = 10.0
"""Seconds after which the file is written though nothing is new: so that one sees that it is."""


@dataclass(frozen=True)
class PoolState:
    """How many workers a pool is to have, and why; ``at`` (s) is when that was decided."""

    replicas: int
    reason: str
    blocked_by: str | None
    paused: bool
    at: float


@dataclass(frozen=True)
class ControllerState:
    """What one controller knew at an instant ``at`` (s since the epoch).

    ``holder`` is who wrote it, ``until`` when the next is written at the latest, ``heard`` the
    instant (of the engine's clock) of the last event that it knew.
    """

    at: float
    until: float
    holder: str
    project: str
    conditions: tuple[Condition, ...] = ()
    pools: Mapping[str, PoolState] = field(default_factory=dict)
    heard: float = 0.0
    schema: int = SCHEMA


class StateFile:
    """The file of one controller's folder, as that one writes it: when something is new.

    ``clock`` tells seconds since the epoch. For one thread, but for `is_anothers`.
    """

    def __init__(self, folder: Path, project: str, holder: str, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._project = project
        self._holder = holder
        self._clock = clock
        self._last: ControllerState | None = None

    def write(
        self,
        conditions: tuple[Condition, ...],
        pools: Mapping[str, PoolState],
        interval: float,
        heard: float,
    ) -> None:
        """Write what is new, or that nothing is. ``interval`` (s): how often this is called.

        Raises OSError (a full disk).
        """
        now = self._clock()
        last = self._last
        known = (conditions, pools, heard)
        same = last and (last.conditions, last.pools, last.heard) == known
        if last is not None and same and last.at <= now < last.at + _BEAT:
            return
        until = now + 3 * max(interval, _BEAT)
        fresh = ControllerState(now, until, self._holder, self._project, *known)
        write(self._folder, fresh)
        self._last = fresh

    def is_anothers(self) -> bool:
        """Tell whether another controller wrote it, and lately. Safe from any thread."""
        known = read(self._folder)
        return known is not None and known.holder != self._holder and self._clock() < known.until


def write(folder: Path, current: ControllerState) -> None:
    """Replace the file in a controller's folder. Raises OSError (a full disk)."""
    folder.mkdir(parents=True, exist_ok=True)
    # Two controllers may write at the same moment: each its own part.
    part = folder / f".{FILE}.{current.holder}"
    try:
        part.write_text(json.dumps(asdict(current), indent=1), encoding="utf-8")
        os.replace(part, folder / FILE)  # noqa: PTH105 - says what it does
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read(folder: Path) -> ControllerState | None:
    """Return what is kept in a controller's folder; None when nothing usable is."""
    try:
        return decoded((folder / FILE).read_bytes())
    except OSError:
        return None


def read_state(engine: Engine, project: str) -> ControllerState | None:
    """Return the newest that a controller wrote: on the control volume, or on this host.

    Raises EngineError. None when there never was a controller, or nothing gives access to the
    volume.
    """
    found = [read(host_folder(project)), _on_volume(engine, project)]
    return max((one for one in found if one), key=lambda one: one.at, default=None)


def host_folder(project: str) -> Path:
    """Return the folder of a controller that runs on this host."""
    return state.path(project).parent / FOLDER


def decoded(data: bytes) -> ControllerState | None:
    """Read the file's content; None for what is damaged or of another version."""
    # By hand: a model would cost `jobctl ps` more than all that it does.
    try:
        said = json.loads(data)
        if said["schema"] != SCHEMA:
            return None
        said["conditions"] = tuple(Condition(**each) for each in said["conditions"])
        said["pools"] = {name: PoolState(**pool) for name, pool in said["pools"].items()}
        return ControllerState(**said)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _on_volume(engine: Engine, project: str) -> ControllerState | None:
    for row in _with_access(engine.containers(labels.of_project(project))):
        archive = engine.get_archive(row.id, f"/{spec.FOLDER}/{FOLDER}/{FILE}")
        for data in unpack(archive).values():
            return decoded(data)
    return None


def _with_access(rows: Iterable[Container]) -> list[Container]:
    """Return the containers that have the control volume; they need not run."""
    having = (names.MASTER, names.CONTROLLER)
    return [row for row in rows if row.labels.get(labels.SERVICE) in having]
