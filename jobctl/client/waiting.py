"""Waiting for jobs to end, and following all that happens, over the stream of events."""

import time
from collections.abc import Iterable, Iterator
from typing import cast

from jobctl.client.errors import ClientError, NotFinished, Unavailable, UnknownJob, Unreachable
from jobctl.client.following import SILENCE, stream_ended
from jobctl.client.sse import ServerEvent, parse
from jobctl.client.transport import Transport
from jobctl.client.types import TERMINAL, Event, JobRow

MOST_IDS = 500
"""Ids in one question for statuses."""

# A stream's timeout is fixed when it is opened; with less time left than this it is opened anew.
_HEARTBEAT = 12.0


def statuses(transport: Transport, ids: Iterable[str]) -> dict[str, JobRow | None]:
    """Look many jobs up, in several requests if need be."""
    wanted = list(ids)
    found: dict[str, JobRow | None] = {}
    for start in range(0, len(wanted), MOST_IDS):
        body = {"ids": wanted[start : start + MOST_IDS]}
        found.update(transport.call("POST", "/jobs:status", json=body).json()["jobs"])
    return found


def wait(transport: Transport, ids: Iterable[str], timeout: float | None) -> Iterator[JobRow]:
    """Yield each job once, when it has ended; raises NotFinished after ``timeout`` seconds.

    No end is missed: the statuses are looked up after the stream of events is open, and again
    whenever it had to be opened anew.
    """
    pending = dict.fromkeys(ids)
    deadline = None if timeout is None else time.monotonic() + timeout
    patience = transport.reconnecting()
    while pending:
        left = SILENCE if deadline is None else deadline - time.monotonic()
        if left <= 0:
            # Without a stream at all, e.g. timeout 0: one look is still owed.
            yield from _ended(transport, pending, list(pending))
            break
        silence = min(SILENCE, left)
        try:
            with transport.stream("/events", silence=silence) as answer:
                for event in parse(answer.iter_raw()):
                    patience.renew()
                    yield from _ended(transport, pending, _touched(event, pending))
                    if not pending:
                        return
                    if deadline is not None:
                        left = deadline - time.monotonic()
                        if left <= 0 or (left < _HEARTBEAT and left < silence):
                            break
                else:
                    patience.pause(stream_ended(transport))
        except (Unreachable, Unavailable) as error:
            if deadline is None or time.monotonic() < deadline:
                patience.pause(error)
    if pending:
        raise NotFinished(pending)


def _touched(event: ServerEvent, pending: Iterable[str]) -> list[str]:
    if event.name == "open":
        return list(pending)
    if event.name != "jobs":
        return []
    ended = {t["id"] for t in event.data["transitions"] if t["status"] in TERMINAL}
    return [job_id for job_id in ended if job_id in pending]


def _ended(
    transport: Transport, pending: dict[str, None], candidates: list[str]
) -> Iterator[JobRow]:
    for job_id, row in statuses(transport, candidates).items():
        if row is None:
            raise UnknownJob(f"There is no job {job_id}.", "jobctl jobs", "unknown-job")
        if row["status"] in TERMINAL:
            del pending[job_id]
            yield row


def events(transport: Transport, last_id: str) -> Iterator[Event]:
    """Yield all that happens from now on (or after ``last_id``), for ever."""
    patience = transport.reconnecting()
    while True:
        broken: ClientError = stream_ended(transport)
        try:
            headers = {"Last-Event-ID": last_id} if last_id else None
            with transport.stream("/events", headers=headers, silence=SILENCE) as answer:
                for event in parse(answer.iter_raw()):
                    patience.renew()
                    last_id = event.id or last_id
                    if event.name == "jobs":
                        yield cast("Event", {"id": event.id, **event.data})
        except (Unreachable, Unavailable) as error:
            broken = error
        patience.pause(broken)
