"""What is around a drill: where jobs leave their marks, and that all is as it was afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from jobctl.chaos.drills import remains
from jobctl.chaos.drills.history import Fleet, Mark, Refused
from jobctl.chaos.inject import live_faults
from jobctl.client.errors import ClientError
from jobctl.cluster import labels
from jobctl.cluster.archive import File, pack, unpack
from jobctl.cluster.errors import ClusterError, NotUp
from jobctl.cluster.observed import instance_of
from jobctl.engine.errors import EngineError
from jobctl.engine.model import Container
from jobctl.engine.protocol import Engine

_PAUSE = 0.5
_STALE = ("end-refused", "lease-lost")


class MarksFolder:
    """A folder on the volume that all workers share, in which any job may write."""

    def __init__(self, engine: Engine, project: str, drill: str) -> None:
        self._engine = engine
        self._project = project
        self._name = f"drill-{drill}"

    @property
    def path(self) -> str:
        """Where it is, in every worker."""
        return f"{remains.JOBS}/{self._name}"

    def make(self, claim: remains.Claim) -> None:
        """Make it, and say whose it is; raises NotUp when there is no worker to do it through."""
        workers = _workers(self._engine, self._project)
        if not workers:
            raise NotUp(f"The cluster {self._project} has no workers.", "jobctl up")
        files = [
            File(self._name, None, 0, 0, 0o777),  # every job is a user of its own
            File(f"{self._name}/{remains.CLAIM}", claim.encoded(), 0, 0, 0o644),
        ]
        self._engine.put_archive(workers[0].id, remains.JOBS, pack(files))

    def collect(self) -> list[Mark]:
        """Return all marks; raises ClusterError when no worker gives access to them."""
        for row in _workers(self._engine, self._project):
            archive = self._engine.get_archive(row.id, self.path)
            if archive is not None:
                files = unpack(archive)
                return [mark for text in files.values() for mark in _marks(text)]
        raise ClusterError("No worker gives access to what the jobs left behind.", "jobctl ps")

    def remove(self) -> None:
        """Remove it; it stays when no worker runs."""
        remains.remove(self._engine, self._project, self.path)


def clear_up(
    client: remains.Jobs, marks: MarksFolder, claim: remains.Claim, say: Callable[[str], None]
) -> None:
    """End what jobs have not ended, and remove what all left; say when that is not possible."""
    try:
        ended = remains.end_jobs(client, claim.names, marks.path)
        marks.remove()
    except (EngineError, ClusterError, ClientError) as error:
        # With its folder it is found again.
        say(f"Something of the drill is left: {error} Try: jobctl chaos heal")
    else:
        if ended:
            say(f"jobs that had not ended were cancelled: {ended}")


def _marks(text: bytes) -> Iterator[Mark]:
    """Read the lines of one file; one that breaks off is none."""
    for line in text.decode("ascii", "replace").splitlines():
        words = line.split(" ")
        if len(words) != 4 or words[0] not in ("begin", "end"):
            continue
        try:
            at = float(words[3].removesuffix(".N"))
            what = cast('Literal["begin", "end"]', words[0])
            yield Mark(at, words[1], int(words[2]), what)
        except ValueError:
            continue


class RefusedWrites:
    """The writes that the fence refused, as the workers' logs tell from an instant on.

    A container's log goes with it: who is about to remove one collects first. For two threads.
    """

    def __init__(self, project: str, since: float) -> None:
        self._project = project
        self._since = since
        self._found: dict[Refused, None] = {}

    def collect(self, engine: Engine) -> None:
        """Read the logs of all workers that are there; raises EngineError."""
        for row in _workers(engine, self._project):
            text = b"".join(engine.logs(row.id, since=self._since)).decode("utf-8", "replace")
            self._found |= dict.fromkeys(_refused(text, instance_of(row)))

    def found(self) -> list[Refused]:
        """Return what was collected, each once."""
        return list(self._found)


def _refused(text: str, worker: str) -> Iterator[Refused]:
    for line in text.splitlines():
        words = line.split(" ")
        facts = dict(word.split("=", 1) for word in words[2:] if "=" in word)
        if len(words) > 2 and words[1] in _STALE and facts.get("verdict") == "stale":
            at = datetime.fromisoformat(words[0]).timestamp()
            yield Refused(at, facts.get("job", ""), worker)


@dataclass(frozen=True)
class Before:
    """What ran before a drill: the state of each instance."""

    states: Mapping[str, str]

    def differences(self, rows: list[Container]) -> list[str]:
        """Say what is not as it was."""
        now = {instance_of(row): row.state for row in rows}
        gone = [f"{name} is gone" for name in self.states if name not in now]
        more = [f"{name} is there, and was not" for name in now if name not in self.states]
        other = [
            f"{name} is {now[name]}, and was {state}"
            for name, state in self.states.items()
            # One that was on its way back when the drill began is no damage.
            if now.get(name, state) not in (state, "running")
        ]
        return gone + more + other


def look(engine: Engine, project: str) -> Before:
    """Note what runs; raises NotUp when nothing does."""
    rows = engine.containers(labels.of_project(project))
    if not rows:
        raise NotUp(f"The cluster {project} is not up.", "jobctl up")
    return Before({instance_of(row): row.state for row in rows})


def fleet(engine: Engine, project: str, at: float) -> Fleet:
    """Count the workers that run."""
    rows = _workers(engine, project)
    return Fleet(at, sum(row.state == "running" for row in rows), len(rows))


def restore(
    engine: Engine,
    project: str,
    before: Before,
    within: float,
    *,
    kept: bool,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Wait until all is as before, for at most ``within`` seconds; return what is not, in words.

    Unless a controller keeps the cluster (``kept``), what was killed is started here.
    """
    deadline = clock() + within
    while True:
        try:
            rows = engine.containers(labels.of_project(project))
            if not kept:
                _start(engine, before, rows)
            left = before.differences(rows)
            left += (
                f"{live.kind} of {live.instance} is alive" for live in live_faults(engine, project)
            )
        except (EngineError, ClusterError) as error:
            left = [str(error)]
        if not left or clock() >= deadline:
            return left
        pause(_PAUSE)


def _start(engine: Engine, before: Before, rows: list[Container]) -> None:
    for row in rows:
        if row.state == "exited" and before.states.get(instance_of(row)) == "running":
            engine.start(row.id)


def _workers(engine: Engine, project: str) -> list[Container]:
    rows = engine.containers(labels.of_project(project))
    return sorted((row for row in rows if labels.POOL in row.labels), key=instance_of)
