"""Waiting until a cluster is ready: by asking the master, not by the engine's health interval.

Ready means that Redis answers the master and every worker has registered with it, from the very
container that runs now and since it runs. A container that ends by itself meanwhile fails the wait
at once; one that was made to end, as by a watchdog that starts it anew, has a while to return.
"""

import time
from collections.abc import Collection, Iterable, Mapping

from jobctl.cluster import labels, names
from jobctl.cluster.errors import ClusterError, MasterSilent, StartFailed
from jobctl.cluster.events import Event, OnEvent
from jobctl.cluster.master_api import MasterApi, Readiness
from jobctl.cluster.observed import instance_of
from jobctl.cluster.state import Connection
from jobctl.engine.errors import NotFound
from jobctl.engine.model import Container
from jobctl.engine.protocol import Engine

WITHIN = 90.0
"""Seconds until a cluster that is still not ready counts as broken."""

MENDED_WITHIN = 30.0
"""Seconds in which a container that does not work must be back, if somebody may be mending it."""

_ASK_EVERY = 0.015
_WATCH_EVERY = 0.25
_LAST_LINES = 20
_SHORT_ID = 12


def wait_ready(
    engine: Engine,
    project: str,
    connection: Connection,
    expected: set[str],
    *,
    on_event: OnEvent,
    revived: frozenset[str] = frozenset(),
) -> None:
    """Wait for the expected containers (by container name).

    One that was stopped or killed is waited for, as whoever did that may be about to start it
    again, and so are an unhealthy master and Redis, which a watchdog restarts: each for
    `MENDED_WITHIN` seconds.

    Those ``revived`` (started again, thawed) keep their id, and their bad health for a while: an
    earlier process's registration does not count for them, nor does an earlier health check. Nor
    does the engine's word on what answers for itself: it may be from before somebody thawed it.
    Raises StartFailed when a container ended, keeps restarting or is unhealthy, and ClusterError
    after `WITHIN` seconds, saying what is missing.
    """
    deadline = time.monotonic() + WITHIN
    api = MasterApi(connection.url, connection.token, timeout=1.0)
    told = ""
    watch_at = 0.0
    rows: dict[str, Container] = {}
    ended: dict[str, bool] = {}
    mending = _Mending()
    try:
        while True:
            if time.monotonic() >= watch_at:
                found = engine.containers(labels.of_project(project))
                rows = {row.name: row for row in found if row.name in expected}
                ended = _ended(engine, rows.values())
                revived |= ended.keys()
                watch_at = time.monotonic() + _WATCH_EVERY
            answer = _readiness(api)
            judged = [row for name, row in rows.items() if name not in revived]
            broken = _unhealthy(answer, judged) | ended
            for name in mending.overdue(broken):
                raise _failed(engine, project, rows[name])
            missing = _missing(answer, rows, expected, ended)
            if not missing and revived:
                missing = _not_back(engine, api, rows, revived)
            if not missing:
                if told:
                    on_event(Event("wait", "ready", "all is ready", "done"))
                return
            if missing != told:
                told = missing
                on_event(Event("wait", "ready", f"waiting for {missing}"))
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"The cluster was not ready after {WITHIN:g} s: still waiting for {missing}.",
                    f"jobctl -p {project} logs master",
                )
            time.sleep(_ASK_EVERY)
    finally:
        api.close()


def _readiness(api: MasterApi) -> Readiness | None:
    try:
        return api.readiness()
    except MasterSilent:
        return None


def _missing(
    answer: Readiness | None,
    rows: Mapping[str, Container],
    expected: set[str],
    ended: Collection[str],
) -> str:
    """Say what is still missing; "" when nothing is."""
    if absent := sorted(expected - rows.keys()):
        return ", ".join(absent)
    if ended:
        return ", ".join(instance_of(rows[name]) for name in sorted(ended))
    if answer is None:
        return "the master"
    if not answer.redis:
        return "Redis"
    late = [
        instance_of(rows[name])
        for name in sorted(expected)
        if labels.POOL in rows[name].labels and not _answers(answer, rows[name])
    ]
    more = f" and {len(late) - 5} more" if len(late) > 5 else ""
    return ", ".join(late[:5]) + more


def _answers(answer: Readiness | None, row: Container) -> bool:
    """Tell whether a container shows by what it does that it is well."""
    if answer is None:
        return False
    if labels.POOL in row.labels:
        return answer.workers.get(instance_of(row)) == row.id[:_SHORT_ID]
    service = row.labels.get(labels.SERVICE)
    return service == names.MASTER or (service == names.REDIS and answer.redis)


def _may_be(answer: Readiness | None, row: Container) -> bool:
    """Tell whether a container may be unhealthy: it answers all the same, or nobody waits for it.

    A controller on a busy machine takes its time; whether it keeps the cluster is for `ps` to tell.
    """
    return _answers(answer, row) or row.labels.get(labels.SERVICE) == names.CONTROLLER


def _not_back(
    engine: Engine, api: MasterApi, rows: Mapping[str, Container], revived: frozenset[str]
) -> str:
    """Name the revived workers whose registration is older than their container's start.

    Both times are of the engine's host: Redis runs there too.
    """
    try:
        loads = api.workers()
    except ClusterError:
        return "the master"
    late = []
    for name in sorted(revived & rows.keys()):
        row = rows[name]
        detail = engine.inspect(row.id) if labels.POOL in row.labels else None
        load = loads.get(instance_of(row))
        if detail is not None and (load is None or load.started_at < detail.started_at):
            late.append(instance_of(row))
    return ", ".join(late)


class _Mending:
    """Since when containers do not work that somebody may be mending."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def overdue(self, broken: Mapping[str, bool]) -> list[str]:
        """Take in which do not work now, and whether they may be mended; return who fails."""
        now = time.monotonic()
        self._since = {name: self._since.get(name, now) for name in broken}
        return [
            name
            for name, may_be_mended in sorted(broken.items())
            if not may_be_mended or now - self._since[name] >= MENDED_WITHIN
        ]


def _ended(engine: Engine, rows: Iterable[Container]) -> dict[str, bool]:
    """Map those that ended, and not because their work is done, to whether they may be mended.

    The engine says `restarting`, never `exited`, of what ended by itself and is started again: what
    shows as exited was made to end. Only for the controller there is nobody to start it.
    """
    found: dict[str, bool] = {}
    for row in rows:
        if row.state not in ("exited", "dead", "restarting"):
            continue
        detail = engine.inspect(row.id)
        once = detail is not None and detail.restart == "no"
        if not (once and detail is not None and detail.exit_code == 0):
            kept = row.labels.get(labels.SERVICE) != names.CONTROLLER
            found[row.name] = row.state == "exited" and kept and not once
    return found


def _unhealthy(answer: Readiness | None, rows: Iterable[Container]) -> dict[str, bool]:
    """Map those that are unhealthy to whether a watchdog may be about to restart them."""
    return {
        row.name: row.labels.get(labels.SERVICE) in (names.MASTER, names.REDIS)
        for row in rows
        if row.health == "unhealthy" and not _may_be(answer, row)
    }


def _failed(engine: Engine, project: str, row: Container) -> StartFailed:
    name = instance_of(row)
    detail = engine.inspect(row.id)
    how = f"is {row.state}" if row.health != "unhealthy" else "is unhealthy"
    if detail is not None and row.health != "unhealthy":
        by = " (out of memory)" if detail.oom_killed else ""
        how = f"ended with exit code {detail.exit_code}{by}"
    try:
        lines = b"".join(engine.logs(row.id, tail=_LAST_LINES)).decode("utf-8", "replace")
    except NotFound:
        lines = ""
    hint = f"jobctl -p {project} logs {name}"
    return StartFailed(f"{name} {how} while the cluster came up.", lines, hint)
