"""Live faults as files of the control volume: pure.

One file says that a fault is about to be made, another that it was, and then that it is over: the
engine can write files, not delete them, and who reads may find one that is just being written. Then
the one before it counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePosixPath

from jobctl.chaos.fault import BEING_MADE, FaultKind, LiveFault
from jobctl.cluster import spec
from jobctl.cluster.archive import File

NAME = "faults"
FOLDER = f"{spec.FOLDER}/{NAME}"
"""Where they lie, as a path without a leading slash, in every container with the volume."""

OVER = b"over\n"
"""What the file of a fault holds that was undone."""

_SCHEMA = 1
_SUFFIX = ".json"
_BEGUN = f".begun{_SUFFIX}"


def paths(id_: str) -> tuple[str, str]:
    """Return the paths of a fault's files, in the order in which they are to be removed."""
    return f"{FOLDER}/{id_}{_BEGUN}", f"{FOLDER}/{id_}{_SUFFIX}"


def files(live: LiveFault) -> list[File]:
    """Return the files that record a fault, as being made or as made."""
    begun, made = paths(live.id)
    data = json.dumps({"schema": _SCHEMA, **asdict(live)}, indent=1).encode()
    path = begun if live.made_at == BEING_MADE else made
    return [File(FOLDER, None, 0, 0, 0o755), File(path, data, 0, 0, 0o644)]


def over(id_: str) -> list[File]:
    """Return the files that record that a fault was undone."""
    return [File(paths(id_)[1], OVER, 0, 0, 0o644)]


def over_in(contents: Mapping[str, bytes]) -> list[str]:
    """Return the ids of the faults among a volume's files that were undone, oldest first."""
    return sorted(id_ for id_, data in _named(contents, _SUFFIX).items() if data == OVER)


def live_in(contents: Mapping[str, bytes]) -> tuple[LiveFault, ...]:
    """Return the faults among a volume's files (path → content), oldest first.

    A damaged file counts as none: it was cut short before what it tells of was done.
    """
    begun, made = _named(contents, _BEGUN), _named(contents, _SUFFIX)
    found = []
    for id_ in sorted(begun.keys() | made.keys()):
        if made.get(id_) != OVER:
            live = decoded(made.get(id_, b"")) or decoded(begun.get(id_, b""))
            if live is not None:
                found.append(live)
    return tuple(found)


def _named(contents: Mapping[str, bytes], suffix: str) -> dict[str, bytes]:
    """Return the content of the files with a suffix, by the id that their names begin with."""
    found = {}
    for name, data in contents.items():
        at = PurePosixPath(name)
        id_ = at.name.removesuffix(suffix)
        if at.parent.name == NAME and at.name.endswith(suffix) and "." not in id_:
            found[id_] = data
    return found


def decoded(data: bytes) -> LiveFault | None:
    """Read one file; None for what is damaged or of another version."""
    try:
        said = json.loads(data)
        if said.pop("schema") != _SCHEMA:
            return None
        return LiveFault(**{**said, "kind": FaultKind(said["kind"])})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
