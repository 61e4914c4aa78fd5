"""The checks themselves: each makes one try and returns what it showed.

They may hang for as long as whatever they try does; `Probing` keeps the time.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from jobctl.cluster.observed import Observed, instance_of
from jobctl.control.place import Place
from jobctl.control.probes_workers import Look, Running, judged, unmoved, waiting_in
from jobctl.control.watchdog_model import Result
from jobctl.control.watchdog_targets import SHORT_ID, Probe
from jobctl.engine.protocol import Engine
from jobctl.queue import Queue

_SAID = 200
"""Letters of what a failing command printed that are told."""


class Failed(Exception):
    """The check failed; the text says how."""


class Silent(Exception):
    """Nothing can be said: what the check needs is not there."""


class Try(Protocol):
    """One try of a probe: its results, `Failed`, `Silent`, or OSError and QueueError (failed)."""

    def __call__(self, probe: Probe, seen: Observed, engine: Engine) -> list[Result]:
        """Try once."""
        ...


class Calls:
    """The tries, by the way of the probe. One of them may be under way in each thread."""

    def __init__(
        self, place: Place, clock: Callable[[], float], lease: Callable[[], float]
    ) -> None:
        self._place = place
        self._clock = clock
        self._lease = lease
        self._looks: dict[str, Look] = {}

    def of(self, probe: Probe) -> Try:
        """Return what tries a probe."""
        tries: dict[str, Try] = {
            "redis": self._redis,
            "master": self._master,
            "pool": self._pool,
            "http": self._http,
            "tcp": self._tcp,
            "command": self._command,
        }
        return tries[probe.way]

    def _redis(self, probe: Probe, seen: Observed, engine: Engine) -> list[Result]:
        del engine
        at, queue = self._clock(), self._queue(seen)
        try:
            answers(queue)
        finally:
            queue.close()
        return [Result(probe.subject, "ping", at, ok=True)]

    def _master(self, probe: Probe, seen: Observed, engine: Engine) -> list[Result]:
        del engine
        at, connection = self._clock(), seen.connection
        if connection is None:
            raise Silent
        _get(f"{connection.url}/livez", probe.timeout, range(200, 300))
        _get(f"{connection.url}/workers", probe.timeout, range(200, 300), connection.token)
        return [Result(probe.subject, "http", at, ok=True)]

    def _pool(self, probe: Probe, seen: Observed, engine: Engine) -> list[Result]:
        before = self._looks.get(probe.service, Look())
        queue = self._queue(seen)
        try:
            at = self._clock()
            workers = tuple(w for w in queue.workers() if _is_of(probe, w.container))
            ids = [job for worker in unmoved(before, workers) for job in worker.jobs]
            found = queue.get_many(ids) if ids else []
            held = {job.id: job for job in found if job is not None}
            look = Look(at, workers, waiting_in(queue.queues()), held)
        finally:
            queue.close()
        self._looks[probe.service] = look
        known = {worker.container for worker in workers}
        rows = [
            Running(instance_of(row), row.id[:SHORT_ID], _since(engine, row.id))
            if row.id[:SHORT_ID] not in known
            else Running(instance_of(row), row.id[:SHORT_ID])
            for row in probe.rows
        ]
        return judged(rows, look, before, self._lease())

    def _http(self, probe: Probe, seen: Observed, engine: Engine) -> list[Result]:
        del seen, engine
        at = self._clock()
        assert probe.check is not None
        assert probe.check.http is not None
        http_check = probe.check.http
        url = f"http://{_address(probe)}:{http_check.port}{http_check.path}"
        _get(url, probe.timeout, range(200, 400))
        return [Result(probe.subject, "http", at, ok=True)]

    def _tcp(self, probe: Probe, seen: Observed, engine: Engine) -> list[Result]:
        del seen, engine
        at = self._clock()
        assert probe.check is not None
        assert probe.check.tcp is not None
        socket.create_connection((_address(probe), probe.check.tcp), probe.timeout).close()
        return [Result(probe.subject, "tcp", at, ok=True)]

    def _command(self, probe: Probe, seen: Observed, engine: Engine) -> list[Result]:
        del seen
        at = self._clock()
        assert probe.check is not None
        ended = engine.execute(probe.row.id, probe.check.command)
        if ended.exit_code != 0:
            said = ended.output.decode("utf-8", "replace").strip()[-_SAID:]
            code = f"{probe.check.command[0]} ended with exit code {ended.exit_code}"
            raise Failed(f"{code}: {said}" if said else code)
        return [Result(probe.subject, "command", at, ok=True)]

    def _queue(self, seen: Observed) -> Queue:
        queue = self._place.queue(seen)
        if queue is None:
            raise Silent
        return queue


def answers(queue: Queue) -> None:
    """Have Redis serve once. Raises QueueError."""
    queue.ping()
    # It may answer and yet not serve: a function is what all work goes through.
    queue.read_gauges()


def name_of(probe: Probe) -> str:
    """Return what the check of a probe is called."""
    return {"redis": "ping", "master": "http"}.get(probe.way, probe.way)


def _is_of(probe: Probe, container: str) -> bool:
    return any(row.id[:SHORT_ID] == container for row in probe.rows)


def _since(engine: Engine, container: str) -> float | None:
    detail = engine.inspect(container)
    return detail.started_at if detail and detail.started_at else None


def _address(probe: Probe) -> str:
    address = next(iter(probe.row.addresses.values()), "")
    if not address:
        raise Failed("it is in no network")
    return address


def _get(url: str, timeout: float, accepted: range, token: str = "") -> None:
    """GET and read a little of the answer. Raises Failed and OSError."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        connection.request("GET", path, headers=headers)
        status = connection.getresponse().status
    except http.client.HTTPException as error:
        raise Failed(f"GET {path}: what answered is no HTTP ({type(error).__name__})") from error
    except TimeoutError:
        raise Failed(f"GET {path}: no answer within {timeout:g} s") from None
    finally:
        connection.close()
    if status not in accepted:
        raise Failed(f"GET {path} was answered with status {status}")
