"""Where a controller runs: inside the cluster, or on a host that reaches the engine.

What it needs to know of that: how to read what is wanted, how to reach the master and Redis, and
where it may write.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from jobctl.chaos import live, records
from jobctl.chaos.fault import LiveFault
from jobctl.cluster import labels, names, orders, spec
from jobctl.cluster.observed import Observed, Stored, observe
from jobctl.cluster.secrets import WEBHOOK
from jobctl.cluster.state import Connection
from jobctl.control import state
from jobctl.engine.protocol import Engine
from jobctl.queue import Queue, connect

CONTROL = Path("/jobctl/control")
SECRETS = Path("/jobctl/secrets")
_USER = "controller"
_ANSWER_WITHIN = 5.0
"""Seconds without an answer of Redis after which it counts as deaf: a controller never blocks."""

_CONNECT_WITHIN = 1.0
"""Seconds to connect in: one that just died has an address that nobody answers at, and whoever
waits for it cannot bring it back."""


class Place(Protocol):
    """Where a controller runs. ``folder`` is where it may write."""

    @property
    def holder(self) -> str:
        """What this controller is called among several: the short id of its container."""
        ...

    @property
    def project(self) -> str:
        """The cluster's name."""
        ...

    @property
    def folder(self) -> Path:
        """Where a controller may write."""
        ...

    def look(self, engine: Engine, *, ask: bool) -> Observed:
        """Take a snapshot of the cluster, with what is wanted; ``ask`` as in `observe`."""
        ...

    def queue(self, seen: Observed) -> Queue | None:
        """Return a client of Redis, not yet connected; None when it cannot be reached from here."""
        ...

    def signing(self, seen: Observed) -> bytes:
        """Return what webhooks are signed with; b"" when they are not."""
        ...

    def faults(self, engine: Engine, seen: Observed) -> tuple[LiveFault, ...]:
        """Return the faults that are recorded as alive, oldest first."""
        ...


@dataclass(frozen=True)
class InCluster:
    """In a container of the cluster: the volumes are mounted, services are found by name."""

    project: str
    control: Path = CONTROL
    secrets: Path = SECRETS

    @property
    def holder(self) -> str:
        """The container's host name, which is the beginning of its id."""
        return socket.gethostname()

    @property
    def folder(self) -> Path:
        """The folder on the control volume that is the controller's own."""
        return self.control / state.FOLDER

    def look(self, engine: Engine, *, ask: bool) -> Observed:
        """Ask the engine; what is wanted comes from the mounted volume."""
        files = {
            f"{spec.FOLDER}/{path.name}": path.read_bytes()
            for path in chain(self.control.glob("spec-*.json"), self.control.glob("specs/*.json"))
        }
        for path in (self.folder / "orders").glob("*.json"):
            files[f"{orders.FOLDER}/{path.name}"] = path.read_bytes()
        kept, stored = self._connection(), _stored(files)
        return observe(engine, self.project, kept=kept, stored=stored, ask=ask)

    def queue(self, seen: Observed) -> Queue | None:
        """Return a client of the service called redis, if that runs.

        Otherwise its name is asked of servers outside, which may take many seconds to say no.
        """
        if not any(_is_redis(r.labels) and r.state == "running" for r in seen.containers.values()):
            return None
        password = _text(self.secrets / f"redis-{_USER}")
        return connect(
            names.REDIS,
            username=_USER,
            password=password,
            project=self.project,
            socket_timeout=_ANSWER_WITHIN,
            connect_timeout=_CONNECT_WITHIN,
        )

    def signing(self, seen: Observed) -> bytes:
        """Read it anew: `up` may have written another."""
        del seen
        try:
            return (self.secrets / WEBHOOK).read_bytes()
        except FileNotFoundError:
            return b""  # an `up` of an earlier version wrote the secrets

    def faults(self, engine: Engine, seen: Observed) -> tuple[LiveFault, ...]:
        """Read them on the mounted volume."""
        del engine, seen
        folder = self.control / live.NAME
        return live.live_in({f"{live.NAME}/{p.name}": _data(p) for p in folder.glob("*.json")})

    def _connection(self) -> Connection:
        return Connection(f"http://{names.MASTER}:8000", _text(self.secrets / "controller-token"))


@dataclass(frozen=True)
class OnHost:
    """On a host: the volumes are read through the engine, Redis by its address in the network."""

    project: str

    @property
    def holder(self) -> str:
        """The host and the process."""
        return f"{socket.gethostname()}:{os.getpid()}"

    @property
    def folder(self) -> Path:
        """A folder of this user's own."""
        return state.host_folder(self.project)

    def look(self, engine: Engine, *, ask: bool) -> Observed:
        """Ask the engine, also for what the volumes hold."""
        return observe(engine, self.project, ask=ask)

    def queue(self, seen: Observed) -> Queue | None:
        """Return a client of Redis, if its container runs and this host has a way to it."""
        row = next((r for r in seen.containers.values() if _is_redis(r.labels)), None)
        held = seen.stored.secrets if seen.stored else None
        address = next(iter(row.addresses.values()), "") if row else ""
        if held is None or not address:
            return None
        return connect(
            address,
            username=_USER,
            password=held.passwords.get(_USER),
            project=self.project,
            socket_timeout=_ANSWER_WITHIN,
            connect_timeout=_CONNECT_WITHIN,
        )

    def signing(self, seen: Observed) -> bytes:
        """Return what the secrets volume holds, as it was looked at."""
        held = seen.stored.secrets if seen.stored else None
        return held.webhook.encode() if held else b""

    def faults(self, engine: Engine, seen: Observed) -> tuple[LiveFault, ...]:
        """Read them through the engine."""
        return records.read(engine, self.project, list(seen.containers.values()))


def _is_redis(marks: Mapping[str, str]) -> bool:
    return marks.get(labels.SERVICE) == names.REDIS


def _stored(files: Mapping[str, bytes]) -> Stored:
    return Stored(
        generation=spec.newest(files),
        highest=spec.highest_number(files),
        schema=spec.newest_schema(files),
        orders=orders.orders_in(files),
    )


def _data(path: Path) -> bytes:
    """Return a file's content; of one that is gone just now nothing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
