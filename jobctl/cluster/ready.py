"""Waiting until a cluster is ready: by asking the master, not by the engine's health interval.

Ready means that Redis answers the master and every worker has registered with it, from the very
container that runs now and since it runs. A container that ends meanwhile fails the wait at once.
"""

import time
from collections.abc import Mapping

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
    try:
        while True:
            if time.monotonic() >= watch_at:
                rows = _watch(engine, project, expected)
                watch_at = time.monotonic() + _WATCH_EVERY
            answer = _readiness(api)
            for name in sorted(rows.keys() & expected - revived):
                if rows[name].health == "unhealthy" and not _may_be(answer, rows[name]):
                    raise _failed(engine, project, rows[name])
            missing = _missing(answer, rows, expected)
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


def _missing(answer: Readiness | None, rows: Mapping[str, Container], expected: set[str]) -> str:
    """Say what is still missing; "" when nothing is."""
    if absent := sorted(expected - rows.keys()):
        return ", ".join(absent)
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


def _watch(engine: Engine, project: str, expected: set[str]) -> dict[str, Container]:
    """List the expected containers and raise StartFailed for one that ended."""
    rows = {row.name: row for row in engine.containers(labels.of_project(project))}
    for name in sorted(expected & rows.keys()):
        row = rows[name]
        ended = row.state in ("exited", "dead", "restarting")
        if ended and not _did_its_work(engine, row):
            raise _failed(engine, project, row)
    return rows


def _did_its_work(engine: Engine, row: Container) -> bool:
    """Tell whether a container that ended was one that is to run once, and did well."""
    detail = engine.inspect(row.id)
    return detail is not None and detail.restart == "no" and detail.exit_code == 0


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
