"""The stored spec: what is wanted, as an immutable file per generation on the control volume.

``spec-<generation>.json`` holds the resolved cluster.yaml, the image tags and the replica overrides
of ``jobctl scale``, and no secrets. The newest file that is whole wins: a half-written one, left by
a death in the middle, is passed over because its checksum does not fit.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jobctl.cluster.archive import File

FOLDER = "jobctl/control"
SPECS = f"{FOLDER}/specs"
"""Where the files are: apart, so that whoever reads them does not read all incidents, too. Those of
an earlier jobctl lie in the folder above."""
SCHEMA = 2
_READABLE = (1, 2)
"""Schemas whose files can be read: in those of 1, `jobs` had other settings for retries."""

_FILE = re.compile(r"(?:.*/)?spec-(\d+)\.json")


@dataclass(frozen=True)
class Socket:
    """The engine's socket on its own host: where it is, and the group that may use it."""

    path: str
    gid: int


@dataclass(frozen=True)
class Spec:
    """What is wanted. Equal specs want the same cluster.

    ``config`` is cluster.yaml as its models write it, ``overrides`` maps pools to replicas, and
    ``caller`` is the uid and gid that the jobs of pools with ``user: caller`` run as. ``socket`` is
    what the controller reaches the engine by; None while no container needs it.
    """

    config: Mapping[str, Any]
    images: Mapping[str, str]
    overrides: Mapping[str, int]
    caller: tuple[int, int] | None = None
    socket: Socket | None = None


@dataclass(frozen=True)
class Generation:
    """A stored spec and its number, counted from 1.

    ``fallback`` is set while workers are replaced for it: the number of the generation that is
    gone back to when that fails. Then all is as it says, or another generation comes: it is 0.
    """

    number: int
    spec: Spec
    fallback: int = 0


def file(generation: Generation) -> File:
    """Return the file that stores a generation."""
    numbers = {"generation": generation.number, "fallback": generation.fallback}
    body = {"schema": SCHEMA, **numbers, **asdict(generation.spec)}
    text = json.dumps({**body, "checksum": _checksum(body)}, sort_keys=True, indent=1)
    path = f"{SPECS}/spec-{generation.number}.json"
    return File(path, text.encode(), 0, 0, 0o444)


def newest(contents: Mapping[str, bytes]) -> Generation | None:
    """Return the newest valid generation among a volume's files; None when there is none."""
    found = (_parse(path, data) for path, data in contents.items())
    return max((g for g in found if g is not None), key=lambda g: g.number, default=None)


def numbered(contents: Mapping[str, bytes], number: int) -> Generation | None:
    """Return the generation of a number, if it is there and valid."""
    path = next((p for p in contents if (m := _FILE.fullmatch(p)) and int(m[1]) == number), None)
    return _parse(path, contents[path]) if path else None


def highest_number(contents: Mapping[str, bytes]) -> int:
    """Return the highest number in use, by a valid file or not; 0 when there is none."""
    numbers = (_FILE.fullmatch(path) for path in contents)
    return max((int(match[1]) for match in numbers if match), default=0)


def newest_schema(contents: Mapping[str, bytes]) -> int:
    """Return the highest schema of all files that can be told; 0 when there is none."""
    schemas = (_schema(data) for path, data in contents.items() if _FILE.fullmatch(path))
    return max(schemas, default=0)


def _schema(data: bytes) -> int:
    try:
        schema = json.loads(data)["schema"]
    except (ValueError, KeyError, TypeError):
        return 0
    return schema if isinstance(schema, int) else 0


def _parse(path: str, data: bytes) -> Generation | None:
    if _FILE.fullmatch(path) is None:
        return None
    try:
        body = json.loads(data)
        checksum = body.pop("checksum")
        if body.get("schema") not in _READABLE or checksum != _checksum(body):
            return None
        caller, socket = body["caller"], body.get("socket")
        spec = Spec(
            config=body["config"],
            images=body["images"],
            overrides=body["overrides"],
            caller=(caller[0], caller[1]) if caller else None,
            socket=Socket(socket["path"], socket["gid"]) if socket else None,
        )
        return Generation(body["generation"], spec, body.get("fallback", 0))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _checksum(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
