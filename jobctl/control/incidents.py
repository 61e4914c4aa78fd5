"""Where incidents are kept: a file each in a folder of the control volume, the newest 500."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from jobctl.control.incident import Incident
from jobctl.queue import is_id

FOLDER = "incidents"
KEPT = 500

_SUFFIX = ".json"
_UNFINISHED = ".part"


class Incidents:
    """The incidents under ``folder``. Several processes may write, each its own incidents."""

    def __init__(self, folder: Path, keep: int = KEPT) -> None:
        self._folder = folder / FOLDER
        self._keep = keep

    def write(self, incident: Incident) -> None:
        """Keep an incident in place of what was kept under its id; then forget the oldest.

        It is on the disk when this returns, and a reader sees all of it or the earlier one.
        Raises OSError (a full disk), and ValueError for an id that is none.
        """
        if not is_id(incident.id):
            raise ValueError(f"{incident.id!r} is no id of an incident.")
        self._folder.mkdir(parents=True, exist_ok=True)
        _put(self._path(incident.id), encoded(incident))
        self._prune()

    def read(self, id_: str) -> Incident | None:
        """Return one incident; None when it is not kept or damaged."""
        if not is_id(id_):
            return None
        try:
            data = self._path(id_).read_bytes()
        except OSError:
            return None
        return _decoded(id_, data)

    def newest(self, limit: int = KEPT) -> list[Incident]:
        """Return the newest incidents, newest first, without those that are damaged."""
        found: list[Incident] = []
        for id_ in reversed(self._ids()):
            if len(found) >= limit:
                break
            incident = self.read(id_)
            if incident is not None:
                found.append(incident)
        return found

    def end_open(self, now: float) -> list[Incident]:
        """End what a controller that is gone left open; return these as they are now.

        For the start of a controller: nobody else knows any more how they went on.
        """
        ended = [
            replace(incident, outcome="unknown", ended_at=now)
            for incident in self.newest()
            if incident.outcome == "open"
        ]
        for incident in ended:
            self.write(incident)
        return ended

    def _path(self, id_: str) -> Path:
        return self._folder / f"{id_}{_SUFFIX}"

    def _ids(self) -> list[str]:
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - names are all that is needed
        except FileNotFoundError:
            return []
        return sorted(id_ for name in names if is_id(id_ := name.removesuffix(_SUFFIX)))

    def _prune(self) -> None:
        for id_ in self._ids()[: -self._keep]:
            self._path(id_).unlink(missing_ok=True)


def incidents_in(files: Mapping[str, bytes]) -> list[Incident]:
    """Return the incidents among files (path → content), newest first, without damaged ones.

    For who reads the volume as an archive through the engine.
    """
    found: list[Incident] = []
    for path, data in files.items():
        at = PurePosixPath(path)
        if at.parent.name == FOLDER and at.suffix == _SUFFIX:
            incident = _decoded(at.stem, data)
            if incident is not None:
                found.append(incident)
    return sorted(found, key=lambda incident: incident.id, reverse=True)


def encoded(incident: Incident) -> bytes:
    """Return an incident as the JSON text of its file."""
    # What a diagnostic brought must never be the reason that nothing is kept.
    text = json.dumps(asdict(incident), default=str, ensure_ascii=False, indent=1)
    return text.encode("utf-8", "replace")


@cache
def _format() -> TypeAdapter[Incident]:
    return TypeAdapter(Incident)


def _decoded(id_: str, data: bytes) -> Incident | None:
    try:
        incident = _format().validate_json(data)
    except ValidationError:
        return None
    return incident if incident.id == id_ else None


def _put(path: Path, data: bytes) -> None:
    """Write a file so that it is on the disk, and whole, whenever it is there."""
    part = tempfile.NamedTemporaryFile(dir=path.parent, suffix=_UNFINISHED, delete=False)  # noqa: SIM115
    try:
        with part:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
        Path(part.name).replace(path)
    except BaseException:
        Path(part.name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
