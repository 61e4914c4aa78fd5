"""What fills a volume of a size of its own, and is taken out again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jobctl.chaos.beside import Beside
from jobctl.cluster import names
from jobctl.engine.model import Mount

_FOLDER = "/jobctl/jobs"
_MB = 1024 * 1024
_UNITS = {"": 1, "k": 1024, "m": _MB, "g": 1024 * _MB}
_SIZE = re.compile(r"(?:^|,)size=(\d+)([kmg]?)(?:,|$)", re.IGNORECASE)

_LARGEST = 4096 * _MB
"""A device's size is not told: more than this is never written."""


def size_of(options: Mapping[str, str]) -> int | None:
    """Return how much a volume with such driver options can hold, in bytes.

    None where that is whatever its host's disk can: it has no size of its own. Pure.
    """
    if options.get("type") == "tmpfs":
        found = _SIZE.search(options.get("o", ""))
        return int(found[1]) * _UNITS[found[2].lower()] if found else None
    return _LARGEST if options.get("device", "").startswith("/dev/loop") else None


def load(beside: Beside, size: int) -> None:
    """Write until there is no room; ``size`` is what there can be at most."""
    file = _file(beside.fault)
    _run(beside, f"head -c {size} /dev/zero > {file} 2>/dev/null; test -s {file}", size)


def unload(beside: Beside) -> None:
    """Remove what was written; nothing happens when nothing was."""
    _run(beside, f"rm -f {_file(beside.fault)}", 0)


def _file(fault: str) -> str:
    return f"{_FOLDER}/.fault-{fault}"


def _run(beside: Beside, script: str, size: int) -> None:
    mount = Mount("volume", names.volume(beside.project, "jobs"), _FOLDER)
    # What is written to a tmpfs is memory of whoever writes it.
    beside.run(beside.spec("sh", "-c", script, mounts=(mount,), memory=48 * _MB + size))
