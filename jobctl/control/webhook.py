"""Sends notices to a webhook from a thread of its own: a receiver that is away holds up nobody."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from random import Random
from urllib.parse import urlsplit

from jobctl import __version__
from jobctl.control.webhook_payload import (
    EVENTS,
    FINAL,
    EventName,
    Format,
    Notice,
    body_of,
    signature,
)

QUEUED = 1000
"""Notices that wait at most."""

_BACKOFF = 1.0
_MAX_BACKOFF = 60.0
# However long a receiver asks to be left alone: the news gets old.
_MAX_RETRY_AFTER = 300.0
_TOO_MANY = 429


@dataclass(frozen=True)
class Receiver:
    """Who gets the notices, and how; see `watchdog.webhook` in docs/cluster-yaml.md.

    ``timeout`` is for one try as a whole. ``backoff`` is the wait (s) before the first retry;
    it doubles with each.
    """

    url: str
    format: Format = "generic"
    secret: bytes = b""
    timeout: float = 5.0
    retries: int = 5
    events: frozenset[EventName] = EVENTS
    backoff: float = _BACKOFF


@dataclass(frozen=True)
class Counts:
    """What became of the notices so far; ``dropped`` had no room or were left at the end."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class _Answer:
    """How a try went: delivered, or why not, and the seconds to wait (None: no use to retry)."""

    problem: str = ""
    again_in: float | None = None


class Webhook:
    """A queue of notices and the thread that delivers them, one after the other, in order.

    ``failed`` is told, in that thread, of each notice that was given up, and why. It names
    neither path nor secret of the receiver: with many services the address is the password.
    """

    def __init__(
        self,
        receiver: Receiver,
        failed: Callable[[Notice, str], None] = lambda _notice, _problem: None,
        rng: Random | None = None,
    ) -> None:
        self._receiver = receiver
        self._failed = failed
        self._rng = rng or Random()  # noqa: S311 - it only spreads retries
        self._queue: deque[Notice] = deque()
        self._counts = {"sent": 0, "failed": 0, "dropped": 0}
        self._busy = False
        self._ending = False
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def send(self, notice: Notice) -> None:
        """Queue a notice and return at once, whatever the receiver does.

        With no room left the oldest notice goes that does not end an incident.
        """
        if notice.event not in self._receiver.events:
            return
        with self._changed:
            if self._ending:
                self._counts["dropped"] += 1
                return
            if len(self._queue) >= QUEUED:
                self._drop_one()
            self._queue.append(notice)
            self._changed.notify_all()

    def counts(self) -> Counts:
        """Return what became of the notices so far."""
        with self._changed:
            return Counts(**self._counts, waiting=len(self._queue) + self._busy)

    def close(self, grace: float = 5.0) -> None:
        """Deliver what waits for at most ``grace`` seconds, then end; the rest is dropped."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
            self._changed.wait_for(self._is_idle, grace)
        # A try that is under way ends by itself, with its timeout or with the process.
        self._stop.set()
        with self._changed:
            self._counts["dropped"] += len(self._queue)
            self._queue.clear()

    def _is_idle(self) -> bool:
        return not self._queue and not self._busy

    def _drop_one(self) -> None:
        for place, notice in enumerate(self._queue):
            if notice.event not in FINAL:
                del self._queue[place]
                break
        else:
            self._queue.popleft()
        self._counts["dropped"] += 1

    def _run(self) -> None:
        while (notice := self._next()) is not None:
            problem = self._deliver(notice)
            with self._changed:
                self._busy = False
                self._counts["failed" if problem else "sent"] += 1
                self._changed.notify_all()
            if problem:
                self._failed(notice, problem)

    def _next(self) -> Notice | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._ending)
            if not self._queue or self._stop.is_set():
                return None
            self._busy = True
            return self._queue.popleft()

    def _deliver(self, notice: Notice) -> str:
        """Try until it is taken; return why it was not, "" when it was."""
        body = body_of(notice, self._receiver.format)
        tries = 0
        while True:
            answer = self._try(notice, body)
            tries += 1
            if not answer.problem:
                return ""
            if answer.again_in is None or tries > self._receiver.retries:
                return f"{answer.problem} (tried {tries} times)" if tries > 1 else answer.problem
            if self._stop.wait(max(answer.again_in, self._backoff(tries))):
                return f"{answer.problem} (given up: the controller ends)"

    def _backoff(self, tries: int) -> float:
        # Half of it at random: receivers that come back are not met by all clusters at once.
        longest = min(_MAX_BACKOFF, self._receiver.backoff * 2.0 ** (tries - 1))
        return longest * self._rng.uniform(0.5, 1.0)

    def _try(self, notice: Notice, body: bytes) -> _Answer:
        receiver = self._receiver
        try:
            status, retry_after = _post(receiver, _headers(receiver, notice, body), body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return _Answer(f"no answer: {type(error).__name__}", 0.0)
        if 200 <= status < 300:
            return _Answer()
        problem = f"answered with status {status}"
        if status == _TOO_MANY or status >= 500:
            return _Answer(problem, _seconds(retry_after, time.time()))
        return _Answer(problem)


def _headers(receiver: Receiver, notice: Notice, body: bytes) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"jobctl/{__version__}",
        "X-Jobctl-Delivery": notice.delivery,
        "X-Jobctl-Event": notice.event,
    }
    if receiver.secret:
        headers["X-Jobctl-Signature"] = signature(receiver.secret, body)
    return headers


def _post(receiver: Receiver, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """POST once and return the status and `Retry-After`; the answer's body is not read."""
    parts = urlsplit(receiver.url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=receiver.timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=receiver.timeout)
    # The connection's timeout is for each wait; one that sends a letter now and then never ends.
    deadline = threading.Timer(receiver.timeout, _cut, [connection])
    deadline.daemon = True
    try:
        connection.connect()
        deadline.start()
        path = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.getheader("Retry-After", "")
    finally:
        deadline.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    # To close a socket wakes nobody who waits on it; to shut it down does. TLS is told nothing.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _seconds(retry_after: str, now: float) -> float:
    """Read `Retry-After`, which is seconds or a date; 0 when there is none or it is nonsense."""
    if retry_after.isdecimal():
        return min(float(retry_after[:9]), _MAX_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(retry_after).timestamp() - now
    except ValueError:
        return 0.0
    return max(0.0, min(wait, _MAX_RETRY_AFTER))
