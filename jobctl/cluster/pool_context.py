"""What goes into a pool's image: the user's code and requirements as bytes, and their digest.

Reads the user's folders; nothing here talks to an engine.
"""

import os
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from jobctl.cluster.archive import File, pack
from jobctl.cluster.errors import ClusterError
from jobctl.cluster.image_context import digest
from jobctl.config.units import format_size

MOST_CODE = 256 << 20
"""Bytes of code beyond which the folder surely holds something else (data, a whole home)."""

# What tools leave behind, and what makes sense on one machine only. Hidden files are left out too:
# .git, .venv, .env.
_LEFTOVERS = frozenset({"__pycache__", "node_modules"})
_LEFTOVER_FILES = (".pyc", ".pyo", "~")
_VENV = "pyvenv.cfg"

_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)(?:\s+|=)(\S+)")


def code_files(folder: Path) -> list[File]:
    """Return the files of a code folder, sorted, for ``src/`` of a build context.

    Links are followed to files, not to folders. Raises ClusterError for a file that cannot be read
    and for a folder with more than `MOST_CODE` bytes.
    """
    files, total = [File("src", None, 0, 0, 0o755)], 0
    for path in sorted(_code(folder)):
        try:
            mode = path.stat().st_mode
            total += path.stat().st_size
            if total > MOST_CODE:
                raise ClusterError(
                    f"The code folder {folder} holds more than {format_size(MOST_CODE)}.",
                    "keep data elsewhere (see `mounts`) and name the folder of the code alone",
                )
            data = path.read_bytes()
        except OSError as error:
            raise ClusterError(
                f"{path} of the code folder cannot be read: {error.strerror}.",
                f"ls -l {shlex.quote(str(path))}",
            ) from error
        runs = 0o755 if mode & stat.S_IXUSR else 0o644
        files.append(File(f"src/{path.relative_to(folder).as_posix()}", data, 0, 0, runs))
    return files


def _code(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        here = Path(where)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and name not in _LEFTOVERS
            and not (here / name / _VENV).exists()
        ]
        for name in names:
            left = name.startswith(".") or name.endswith(_LEFTOVER_FILES)
            if not left and (here / name).is_file():
                yield here / name


def requirements_files(path: Path) -> list[File]:
    """Return a requirements file and those it includes (``-r``, ``-c``), for ``requirements/``.

    Raises ClusterError for one that is missing, or that lies outside the first one's folder.
    """
    found: dict[str, bytes] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        inside = Path(os.path.relpath(file, path.parent))
        if ".." in inside.parts:
            raise ClusterError(
                f"{path} includes {file}, which lies outside its folder.",
                f"put it into {path.parent}",
            )
        if inside.as_posix() in found:
            continue
        try:
            data = file.read_bytes()
        except OSError as error:
            raise ClusterError(
                f"The requirements {file} cannot be read: {error.strerror}.",
                "jobctl config validate",
            ) from error
        found[inside.as_posix()] = data
        waiting += [file.parent / name for name in _included(data.decode("utf-8", "replace"))]
    return [
        File("requirements", None, 0, 0, 0o755),
        *(File(f"requirements/{name}", data, 0, 0, 0o644) for name, data in sorted(found.items())),
    ]


def _included(text: str) -> list[str]:
    """Return the files that the lines of a requirements file include; addresses are left to pip."""
    matches = (_INCLUDE.match(line) for line in text.splitlines())
    return [match[1] for match in matches if match and "://" not in match[1]]


def pool_digest(recipe: bytes, files: list[File], *made_from: str) -> str:
    """Return the hex digest that names a pool's image."""
    contents = {f"{file.path} {file.mode:o}": file.data for file in files if file.data is not None}
    return digest({"Dockerfile": recipe, **contents}, *made_from)


def pool_context(recipe: bytes, files: list[File], ca_bundle: bytes | None) -> bytes:
    """Pack what a pool's image is built from; the certificates are for pip alone."""
    certificates = [File("requirements/ca-bundle.crt", ca_bundle, 0, 0, 0o644)] if ca_bundle else []
    return pack([File("Dockerfile", recipe, 0, 0, 0o644), *files, *certificates])
