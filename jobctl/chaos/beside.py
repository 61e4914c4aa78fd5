"""Containers that a fault is made with: one that does its work and ends, or one that stays.

Their names are made of the fault's id, so that whoever undoes it finds them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from jobctl.chaos import records, turns
from jobctl.chaos.errors import NotPossible
from jobctl.chaos.making import MARK
from jobctl.cluster import labels, names, owner
from jobctl.engine.model import Container, ContainerSpec, Mount
from jobctl.engine.protocol import Engine

_MB = 1024 * 1024
_LAST_LINES = 3


@dataclass(frozen=True)
class Beside:
    """What makes such containers for one fault (its id), of one image."""

    engine: Engine
    project: str
    fault: str
    image: str

    def spec(
        self,
        *command: str,
        what: str = "",
        network: str = "none",
        caps: tuple[str, ...] = (),
        mounts: tuple[Mount, ...] = (),
        memory: int = 48 * _MB,
        user: str = "0:0",
        env: Mapping[str, str] | None = None,
    ) -> ContainerSpec:
        """Return what one runs as: confined like all others, but for ``caps``."""
        return ContainerSpec(
            name=name_of(self.project, self.fault, what),
            image=self.image,
            command=command,
            network=network,
            aliases=(),
            cpus=0.5,
            memory=memory,
            pids=64,
            labels={**labels.for_seed(self.project, owner.current()), MARK: self.fault},
            health=None,
            env=env or {},
            mounts=mounts,
            tmpfs={"/tmp": "rw,nosuid,nodev,noexec,mode=1777,size=1048576"},  # noqa: S108
            user=user,
            cap_add=caps,
            restart="no",
        )

    def run(self, wanted: ContainerSpec) -> None:
        """Run one to its end and remove it; two that undo the same fault take turns.

        Raises NotPossible with its last words when it fails.
        """
        engine = self.engine
        turns.create(engine, self.project, wanted)
        try:
            engine.start(wanted.name)
            code = records.ended(engine, wanted.name)
            said = b" ".join(engine.logs(wanted.name, tail=_LAST_LINES)).decode("utf-8", "replace")
        except (Exception, KeyboardInterrupt):
            engine.remove(wanted.name, force=True)
            raise
        engine.remove(wanted.name, force=True)
        if code != 0:
            reason = " ".join(said.split()) or f"exit code {code}"
            raise NotPossible(f"The engine's host does not let it: {reason}.", "jobctl chaos list")

    def stay(self, wanted: ContainerSpec, line: bytes) -> None:
        """Start one that stays, and wait until it prints a line.

        Raises NotPossible when it ends before.
        """
        self.engine.create(wanted)
        self.engine.start(wanted.name)
        said = b""
        for chunk in self.engine.logs(wanted.name, follow=True):
            said += chunk
            if line in said:
                return
        reason = " ".join(said.decode("utf-8", "replace").split()[-40:])
        raise NotPossible(f"{wanted.name} ended: {reason}.", "jobctl chaos list")


def orphans(rows: Iterable[Container], alive: Collection[str]) -> list[Container]:
    """Return such containers of faults that are over (``alive`` are the ids of the others).

    ``rows`` have to be looked up before ``alive``: a fault is recorded before anything is made.
    """
    return [
        row
        for row in rows
        # Instances can bear the mark, too: those are undone otherwise.
        if MARK in row.labels
        and labels.INSTANCE not in row.labels
        and row.labels[MARK] not in alive
        and turns.is_abandoned(row)
    ]


def name_of(project: str, fault: str, what: str = "") -> str:
    """Return the name of a container that a fault (its id) is made with."""
    return names.container(project, f"fault-{fault.lower()}{f'-{what}' if what else ''}")
