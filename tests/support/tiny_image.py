"""A container image of a few megabytes, made of this machine's own shell and tools: no registry."""

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from jobctl.engine.protocol import Engine

LABELS = {"jobctl.test": "1"}
_PROGRAMS = (
    *("sh", "sleep", "cat", "echo", "true", "false", "ls", "id", "getent", "stat", "kill"),
    *("date", "env"),
)
_FOLDERS = ("bin", "data", "dev", "etc", "proc", "sys", "tmp", "work")


def ensure_tiny_image(engine: Engine) -> str:
    """Return the tag of the image, importing it when this content is not there yet."""
    root = _root_filesystem()
    tag = f"jobctl-test/tiny:{hashlib.sha256(root).hexdigest()[:12]}"
    if engine.image(tag) is None:
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(root)
            file.flush()
            engine.import_image(tag, file.name, LABELS)
    return tag


@cache
def _root_filesystem() -> bytes:
    """Pack the programs, each at /bin, and the libraries they need, each at its own path."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in _FOLDERS:
            tar.addfile(_entry(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755))
        programs = [path for name in _PROGRAMS if (path := shutil.which(name))]
        for program in programs:
            _add_file(tar, f"bin/{Path(program).name}", Path(program))
        for library in sorted({library for program in programs for library in _libraries(program)}):
            _add_file(tar, library.lstrip("/"), Path(library))
    return buffer.getvalue()


def _libraries(program: str) -> list[str]:
    """Read ldd: ``name => /path (address)`` or ``/path/of/the/loader (address)``."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    words = [word for line in listing.stdout.splitlines() for word in line.split()]
    return [word for word in words if word.startswith("/")]


def _add_file(tar: tarfile.TarFile, name: str, source: Path) -> None:
    data = source.read_bytes()
    entry = _entry(name, tarfile.REGTYPE, 0o755)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)  # time 0 and owner root: the same bytes on every run
    entry.type, entry.mode = kind, mode
    return entry
