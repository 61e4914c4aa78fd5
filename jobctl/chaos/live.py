"""Live faults as files of the control volume, one each: pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePosixPath

from jobctl.chaos.fault import FaultKind, LiveFault
from jobctl.cluster import spec
from jobctl.cluster.archive import File

NAME = "faults"
FOLDER = f"{spec.FOLDER}/{NAME}"
"""Where they lie, as a path without a leading slash, in every container with the volume."""

OVER = b"over\n"
"""What the file of a fault holds that was undone: the engine can write files, not delete them."""

_SCHEMA = 1
_SUFFIX = ".json"


def path(id_: str) -> str:
    """Return the path of a fault's file."""
    return f"{FOLDER}/{id_}{_SUFFIX}"


def files(live: LiveFault) -> list[File]:
    """Return the files that record a fault."""
    data = json.dumps({"schema": _SCHEMA, **asdict(live)}, indent=1).encode()
    return [File(FOLDER, None, 0, 0, 0o755), File(path(live.id), data, 0, 0, 0o644)]


def over(id_: str) -> list[File]:
    """Return the files that record that a fault was undone."""
    return [File(path(id_), OVER, 0, 0, 0o644)]


def over_in(contents: Mapping[str, bytes]) -> list[str]:
    """Return the ids of the faults among a volume's files that were undone, oldest first."""
    found = (PurePosixPath(name) for name, data in contents.items() if data == OVER)
    return sorted(at.stem for at in found if at.parent.name == NAME)


def live_in(contents: Mapping[str, bytes]) -> tuple[LiveFault, ...]:
    """Return the faults among a volume's files (path → content), oldest first.

    A damaged one counts as none: it was cut short before its fault was made.
    """
    found = []
    for name, data in contents.items():
        at = PurePosixPath(name)
        if at.parent.name == NAME and at.suffix == _SUFFIX:
            live = decoded(data)
            if live is not None:
                found.append(live)
    return tuple(sorted(found, key=lambda live: live.id))


def decoded(data: bytes) -> LiveFault | None:
    """Read one file; None for what is damaged or of another version."""
    try:
        said = json.loads(data)
        if said.pop("schema") != _SCHEMA:
            return None
        return LiveFault(**{**said, "kind": FaultKind(said["kind"])})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
