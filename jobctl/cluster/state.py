"""Where the master is, kept for this user: ``$XDG_STATE_HOME/jobctl/<project>/connection.json``.

The file is 0600 in a 0700 folder. It is a copy: what counts is on the secrets volume.
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from secrets import token_hex

from jobctl.cluster import names


@dataclass(frozen=True)
class Connection:
    """The master's address and the HTTP token (kept out of the printed form)."""

    url: str
    token: str = field(repr=False)


def path(project: str) -> Path:
    """Return the file's path."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "jobctl" / project / "connection.json"


def load(project: str) -> Connection | None:
    """Return what is kept; None when nothing usable is."""
    try:
        kept = json.loads(path(project).read_text(encoding="utf-8"))
        return Connection(str(kept["url"]), str(kept["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(project: str, connection: Connection) -> None:
    """Keep a connection, unless it is what is kept already.

    The file is replaced as a whole, so that a reader never sees half of it.
    """
    if load(project) == connection:
        return
    target = path(project)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{token_hex(4)}")
    opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        json.dump(asdict(connection), file)
    fresh.replace(target)


def forget(project: str, *, controller: bool = False) -> None:
    """Drop what is kept; with ``controller`` also what a controller on this host knew."""
    path(project).unlink(missing_ok=True)
    if controller:
        shutil.rmtree(path(project).with_name(names.CONTROLLER), ignore_errors=True)
