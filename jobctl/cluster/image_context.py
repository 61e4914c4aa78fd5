"""What goes into each image: recipe and code as bytes, their digest, and the archive to build from.

Nothing here talks to an engine. The files come from the installed package, so a build works the
same from a checkout and from a wheel in any folder.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import jobctl
from jobctl.cluster.archive import File, pack
from jobctl.data import data_path

Role = Literal["base", "redis", "master", "worker", "controller", "runtime"]

# An image carries the parts of jobctl that it runs and nothing else.
_CODE: Mapping[Role, tuple[str, ...]] = {
    "master": ("queue", "master"),
    "worker": ("queue", "worker"),
    "controller": ("queue", "engine", "config", "cluster", "chaos", "control"),
}
_LEFT_OUT = {"chaos": "drills/"}
"""Of a part, what only the command line runs."""
_FILE_MODE = 0o644  # the same for every file, whatever umask the checkout was made under
_TAG_DIGITS = 12
_HIDDEN = (".", "__pycache__")


def role_files(role: Role) -> dict[str, bytes]:
    """Return the files of an image by their path in the build context."""
    files = dict(_tree(data_path("images", role)))
    files.pop("requirements.in", None)  # only what was locked from it counts
    for part in _CODE.get(role, ()):
        files |= _code(part)
    return files


def digest(files: Mapping[str, bytes], *made_from: str) -> str:
    """Return the hex digest that names an image: its files and what it is made from."""
    total = hashlib.sha256()
    for source in made_from:
        total.update(f"from {source}\n".encode())
    for path, data in sorted(files.items()):
        total.update(_entry(path, data))
    return total.hexdigest()


@cache
def _entry(path: str, data: bytes) -> bytes:
    """Return what a digest takes in of a file; worked out once, as the files are read once."""
    return f"{path} {_FILE_MODE:o} {hashlib.sha256(data).hexdigest()}\n".encode()


def image_tag(role: str, hex_digest: str) -> str:
    """Return the tag of an image with this digest, such as ``jobctl-worker:0123456789ab``."""
    return f"jobctl-{role}:{hex_digest[:_TAG_DIGITS]}"


def context(files: Mapping[str, bytes]) -> bytes:
    """Pack files into the tar archive to build from: equal files make equal bytes."""
    return pack(File(path, data, 0, 0, _FILE_MODE) for path, data in sorted(files.items()))


@cache
def _code(part: str) -> Mapping[str, bytes]:
    """Return the files of a part of jobctl, and how all of it begins, as `role_files` does."""
    package = Path(jobctl.__file__).parent
    left_out = _LEFT_OUT.get(part, "/")  # no path begins like that
    found = _tree(package / part)
    files = {f"jobctl/{part}/{path}": d for path, d in found if not path.startswith(left_out)}
    return {"jobctl/__init__.py": (package / "__init__.py").read_bytes(), **files}


@cache
def _tree(folder: Path) -> tuple[tuple[str, bytes], ...]:
    """Return the files under a folder, without what interpreters and editors leave behind.

    Read once: `up` asks several times, and the code that runs does not change under it either.
    """
    return tuple(_read(folder))


def _read(folder: Path) -> Iterator[tuple[str, bytes]]:
    # By strings: as objects these paths took longer than their files, at every `up`.
    top = os.fspath(folder)
    for where, inner, names in os.walk(top):
        inner[:] = [name for name in inner if not name.startswith(_HIDDEN)]
        for name in names:
            path = os.path.join(where, name)  # noqa: PTH118
            leftover = name.startswith(_HIDDEN) or name.endswith((".pyc", "~"))
            if not leftover and os.path.isfile(path):  # noqa: PTH113
                with open(path, "rb") as file:  # noqa: PTH123
                    yield path[len(top) + 1 :].replace(os.sep, "/"), file.read()
