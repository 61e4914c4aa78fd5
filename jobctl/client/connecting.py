"""Finding the master of a cluster on this machine: its address and token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobctl.cluster import Connection


def find(project: str | None, file: Path | None) -> Connection:
    """Return where the master of a project is, or of the cluster of a cluster file.

    Without either it is the cluster.yaml that applies to the current folder. What this user has
    no copy of is recovered through the container engine. Raises ConfigError, EngineError or NotUp.
    """
    # All of these are heavy, and not needed by who has an address.
    from jobctl import cluster, config, engine  # noqa: PLC0415

    name = project or config.load(file or config.find(Path.cwd())).name
    return cluster.connection(name, engine.open_engine)
