"""What a drill leaves: its jobs and its folder, also of one that was killed outright.

Each drill says in its folder whose it is. So whoever comes later finds those of the dead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from jobctl.chaos import undoing
from jobctl.chaos.drills.workload import is_of
from jobctl.chaos.errors import NotPossible, NotUndone
from jobctl.client.errors import ClientError, UnknownJob, WrongStatus
from jobctl.cluster import labels, owner
from jobctl.cluster.observed import instance_of
from jobctl.engine.errors import EngineError
from jobctl.engine.protocol import Engine

JOBS = "/jobctl/jobs"
CLAIM = ".drill"
"""The file in a drill's folder that says whose it is."""

_PREFIX = "drill-"
# In the order in which a job goes through them: none is missed that moves on meanwhile.
_OPEN = ("blocked", "scheduled", "queued", "claimed", "running")
_WITHIN = 60.0
_POLL = 0.2
_PAGE = 200
# One without a claim counts when it is a minute old: the engine makes the folder first.
_LIST = f"""cd {JOBS} || exit 0
for d in {_PREFIX}*; do
    if [ -e "$d/{CLAIM}" ]; then printf "%s " "$d"; cat "$d/{CLAIM}"
    elif [ -d "$d" ]; then find "$d" -maxdepth 0 -cmin +1
    fi
done
"""


class Jobs(Protocol):
    """What lists and cancels jobs: the client of the master."""

    def jobs(self, *, status: str | None, name: str | None, limit: int, cursor: str | None) -> Any:
        """Return a page of jobs."""
        ...

    def cancel(self, job_id: str) -> Any:
        """Cancel a job."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


@dataclass(frozen=True)
class Claim:
    """Whose a drill's folder is: a process (`owner.current`), at most until a time (s since the
    epoch), and how the drill's jobs are named."""

    owner: str
    until: float
    names: tuple[str, ...]

    def encoded(self) -> bytes:
        """Return it as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"


@dataclass(frozen=True)
class Remains:
    """The folder (as jobs see it) of a drill that nobody holds any more, and its jobs' names."""

    folder: str
    names: tuple[str, ...]


def clear(
    engine: Engine,
    project: str,
    connect: Callable[[], Jobs],
    clock: Callable[[], float] = time.time,
) -> tuple[str, ...]:
    """Cancel the jobs and remove the folders of drills that were killed; return the folders.

    Raises NotUndone when jobs did not end in a minute, and EngineError and ClientError: then the
    folder stays, so that it can be tried again. Without a worker that runs nothing is found.
    """
    found = _abandoned(engine, project, clock())
    for one in found:
        if one.names:
            client = connect()
            try:
                end_jobs(client, one.names, one.folder)
            finally:
                client.close()
        remove(engine, project, one.folder)
    return tuple(one.folder for one in found)


def clear_the_way(engine: Engine, project: str, connect: Callable[[], Jobs]) -> None:
    """See to it that a drill can begin: nothing of one that was killed is left, no fault is alive.

    Raises NotPossible for a fault that somebody else has made, and what `clear` does.
    """
    # The faults of whoever was killed are not waited for until the controller undoes them.
    if _abandoned(engine, project, time.time()):
        undoing.heal(engine, project)
        clear(engine, project, connect)
    for live in undoing.live_faults(engine, project):
        on = f" of {live.instance}" if live.instance else ""
        raise NotPossible(
            f"{live.kind}{on} is alive: what became of the drill's jobs could be due to that.",
            "jobctl chaos heal",
        )


def end_jobs(
    client: Jobs,
    names: Sequence[str],
    folder: str,
    *,
    within: float = _WITHIN,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Cancel what has not ended of the jobs with a drill's folder; return how many that were.

    Waits until they have ended: raises NotUndone after ``within`` seconds, or a ClientError that
    lasts so long.
    """
    deadline = clock() + within
    cancelled: set[str] = set()
    while True:
        try:
            left = list(_open_jobs(client, names, folder, cancelled))
        except ClientError:
            if clock() >= deadline:
                raise
        else:
            if not left:
                return len(cancelled)
            if clock() >= deadline:
                raise NotUndone(
                    f"{len(left)} jobs of a drill were cancelled and have not ended.",
                    "jobctl chaos heal",
                )
        pause(_POLL)


def _open_jobs(
    client: Jobs, names: Sequence[str], folder: str, cancelled: set[str]
) -> Iterator[str]:
    """Yield the ids of jobs that have not ended; those seen for the first time are cancelled."""
    for status in _OPEN:
        for name in names:
            for job in _listed(client, status, name, folder):
                if job not in cancelled:
                    try:
                        client.cancel(job)
                    except (UnknownJob, WrongStatus):
                        continue  # it has ended
                    cancelled.add(job)
                yield job


def _listed(client: Jobs, status: str, name: str, folder: str) -> list[str]:
    ids, cursor = [], None
    while True:
        page = client.jobs(status=status, name=name, limit=_PAGE, cursor=cursor)
        ids += [row["id"] for row in page["jobs"] if is_of(row, folder)]
        cursor = page["cursor"]
        if not cursor:
            return ids


def remove(engine: Engine, project: str, folder: str) -> None:
    """Remove a folder of marks; it stays when no worker runs. Raises EngineError."""
    _in_a_worker(engine, project, "rm", "-rf", folder)


def _abandoned(engine: Engine, project: str, now: float) -> list[Remains]:
    said = _in_a_worker(engine, project, "sh", "-c", _LIST)
    return list(abandoned_in(said.decode("utf-8", "replace"), now))


def abandoned_in(said: str, now: float) -> Iterator[Remains]:
    """Yield what nobody holds of a list of folders, a line each: its name, and its claim if any."""
    for line in said.splitlines():
        name, _, text = line.partition(" ")
        try:
            claim = Claim(**json.loads(text))
        except (ValueError, TypeError):
            # Of a jobctl that wrote none, or was cut short as it did: no job had been sent.
            yield Remains(f"{JOBS}/{name}", ())
        else:
            if owner.is_gone(claim.owner) or now > claim.until:
                yield Remains(f"{JOBS}/{name}", tuple(claim.names))


def _in_a_worker(engine: Engine, project: str, *argv: str) -> bytes:
    """Run something in any worker that runs, and return what it says; nothing where none does.

    Raises EngineError when it can be run in none of them.
    """
    rows = engine.containers(labels.of_project(project))
    workers = [row for row in rows if labels.POOL in row.labels and row.state == "running"]
    failed: EngineError | None = None
    for row in sorted(workers, key=instance_of):
        try:
            return engine.execute(row.id, argv).output
        except EngineError as error:
            failed = error  # perhaps it has just ended
    if failed is not None:
        raise failed
    return b""
