"""Waiting for jobs to end, and following all that happens, over the stream of events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from jobctl.client import calls
from jobctl.client.errors import (
    ClientError,
    JobFailed,
    NotFinished,
    Unavailable,
    UnknownJob,
    Unreachable,
)
from jobctl.client.following import SILENCE, resuming, stream_ended
from jobctl.client.script import Emit, Link, Open, Read, Script, perform
from jobctl.client.sse import Parser, ServerEvent
from jobctl.client.types import TERMINAL, Job, JobRow

MOST_IDS = 500
"""Ids in one question for statuses."""

# A stream's timeout is fixed when it is opened; with less time left than this it is opened anew.
_HEARTBEAT = 12.0
# One question for a job's end; the master answers after 60 s at the latest.
_LONGEST_LOOK = 30.0


def statuses(link: Link, ids: Iterable[str]) -> Script[dict[str, JobRow | None]]:
    """Look many jobs up, in several requests if need be."""
    wanted = list(ids)
    found: dict[str, JobRow | None] = {}
    for start in range(0, len(wanted), MOST_IDS):
        found.update((yield from perform(link, calls.statuses(wanted[start : start + MOST_IDS]))))
    return found


def wait(link: Link, ids: Iterable[str], timeout: float | None) -> Script[None]:
    """Emit each job once, when it has ended; raises NotFinished after ``timeout`` seconds.

    No end is missed: the statuses are looked up after the stream of events is open, and again
    whenever it had to be opened anew.
    """
    pending = dict.fromkeys(ids)
    deadline = None if timeout is None else time.monotonic() + timeout
    patience = link.reconnecting()
    while pending:
        left = SILENCE if deadline is None else deadline - time.monotonic()
        if left <= 0:
            # Without a stream at all, e.g. timeout 0: one look is still owed.
            yield from _ended(link, pending, list(pending))
            break
        silence = min(SILENCE, left)
        broken: ClientError | None = stream_ended(link)
        try:
            yield Open("/events", None, {}, silence)
            parser = Parser()
            while broken and (piece := (yield Read())) is not None:
                for event in parser.feed(piece):
                    patience.renew()
                    yield from _ended(link, pending, _touched(event, pending))
                    if not pending:
                        return
                    if deadline is not None:
                        left = deadline - time.monotonic()
                        if left <= 0 or (left < _HEARTBEAT and left < silence):
                            broken = None
                            break
        except (Unreachable, Unavailable) as error:
            broken = error if deadline is None or time.monotonic() < deadline else None
        if broken:
            yield patience.after(broken)
    if pending:
        raise NotFinished(pending)


def _touched(event: ServerEvent, pending: Iterable[str]) -> list[str]:
    if event.name == "open":
        return list(pending)
    if event.name != "jobs":
        return []
    ended = {t["id"] for t in event.data["transitions"] if t["status"] in TERMINAL}
    return [job_id for job_id in ended if job_id in pending]


def _ended(link: Link, pending: dict[str, None], candidates: Sequence[str]) -> Script[None]:
    for job_id, row in (yield from statuses(link, candidates)).items():
        if row is None:
            hint = "jobctl jobs; if it is an array: jobctl jobs --array ID"
            raise UnknownJob(f"There is no job {job_id}.", hint, "unknown-job")
        if row["status"] in TERMINAL:
            del pending[job_id]
            yield Emit(row)


def events(link: Link, last_id: str) -> Script[None]:
    """Emit all that happens from now on (or after ``last_id``), for ever."""
    patience = link.reconnecting()
    while True:
        broken: ClientError = stream_ended(link)
        try:
            yield Open("/events", None, resuming(last_id), SILENCE)
            parser = Parser()
            while (piece := (yield Read())) is not None:
                for event in parser.feed(piece):
                    patience.renew()
                    last_id = event.id or last_id
                    if event.name == "jobs":
                        yield Emit({"id": event.id, **event.data})
        except (Unreachable, Unavailable) as error:
            broken = error
        yield patience.after(broken)


def ended(link: Link, job_id: str, timeout: float | None) -> Script[Job]:
    """Return one job when it has ended; raises NotFinished after ``timeout`` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _LONGEST_LOOK if deadline is None else max(0.0, deadline - time.monotonic())
        job = yield from perform(link, calls.job(job_id, min(left, _LONGEST_LOOK)))
        if job["status"] in TERMINAL:
            return job
        if deadline is not None and time.monotonic() >= deadline:
            raise NotFinished([job_id])


def result(link: Link, job_id: str, timeout: float | None) -> Script[Any]:
    """Return what a job's function returned; raises JobFailed when it did not succeed."""
    job = yield from ended(link, job_id, timeout)
    if job["status"] != "succeeded":
        raise JobFailed(job)
    return job.get("result")


def results(link: Link, ids: Iterable[str], timeout: float | None) -> Script[None]:
    """Emit the results of several jobs, in the order of their ids."""
    deadline = None if timeout is None else time.monotonic() + timeout
    for job_id in ids:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        yield Emit((yield from result(link, job_id, left)))
