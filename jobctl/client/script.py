"""Scripts: all that the clients do over several requests, written once for both of them.

A script is a generator. It yields a step, is told what came of it (or has the error raised at that
point), and returns its result. `transport` plays scripts blocking, `atransport` for asyncio; those
two know no rules, and a script does no I/O but through its steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jobctl.client.errors import ClientError, RateLimited, Unavailable, Unreachable, refusal
from jobctl.client.request import Params, Request

T = TypeVar("T")

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; told the answer, whatever its status. Raises Unreachable, Invalid."""

    request: Request[Any]


@dataclass(frozen=True, slots=True)
class Open:
    """Open an answer to be read piece by piece, in place of the one that is open.

    ``silence`` seconds without a byte break it. Raises Unreachable, and what a refusal means.
    """

    path: str
    params: Params | None
    headers: dict[str, str]
    silence: float


@dataclass(frozen=True, slots=True)
class Read:
    """Read on in the open answer; told bytes, or None at its end. Raises Unreachable."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Emit:
    """Give the caller one item of what it iterates over."""

    item: Any


Step = Send | Open | Read | Pause | Emit
Script = Generator[Step, Any, T]


class Play(Generic[T]):
    """A script that is being played: iterate over its steps and tell what came of each."""

    value: T

    def __init__(self, script: Script[T]) -> None:
        self._script = script
        self._told: Any = None
        self._error: ClientError | None = None

    def __iter__(self) -> Play[T]:
        return self

    def __next__(self) -> Step:
        told, error = self._told, self._error
        self._told = self._error = None
        try:
            return self._script.send(told) if error is None else self._script.throw(error)
        except StopIteration as end:
            self.value = end.value
            raise

    def tell(self, told: Any) -> None:
        """Hand the script the outcome of its step."""
        self._told = told

    def fail(self, error: ClientError) -> None:
        """Raise an error where the script waits for the outcome of its step."""
        self._error = error

    def close(self) -> None:
        """Give the script up."""
        self._script.close()


class Patience:
    """How long something that broke is tried again, from the last success on.

    ``seconds`` is asked at each break: it depends on whether the master was ever reached.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Start afresh: something came through."""
        self._pause = _FIRST_PAUSE
        self._since = time.monotonic()

    def left(self) -> float:
        """Return for how many seconds there is patience yet."""
        return self._since + self._seconds() - time.monotonic()

    def after(self, error: ClientError) -> Pause:
        """Return the pause before the next try, longer each time; raises ``error`` at the end."""
        seconds, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE)
        if seconds > self.left():
            raise error
        return Pause(seconds)


@dataclass
class Link:
    """What a client knows about its master; ``met`` once it had a successful answer.

    ``timeout``: seconds that one answer may take. ``patience``: for how many seconds a request is
    tried again; a master never met is not waited for, unless the request says so. ``on_rate`` is
    told the seconds of every wait for a rate limit.
    """

    url: str
    timeout: float
    patience: float
    met: bool = False
    on_rate: Callable[[float], None] | None = None

    def reconnecting(self, *, persist: bool = False) -> Patience:
        """Return the patience for something that is tried again whenever it breaks."""
        return Patience(lambda: self.patience if self.met or persist else 0)


def perform(link: Link, request: Request[T]) -> Script[T]:
    """Send a request until it is answered, as far as patience and the request allow.

    A rate limit is waited for as long as the master says, if that is within the patience.
    """
    patience = link.reconnecting(persist=request.persist)
    limited = Patience(lambda: link.patience)
    while True:
        try:
            answer = yield Send(request)
            if answer.is_success:
                link.met = True
                return request.read(answer)
            raise refusal(answer)
        except RateLimited as error:
            # The master refused before it did anything: sending again is always right.
            if not request.await_rate:
                raise
            yield wait_for_rate(link, limited, error)
        except Unavailable as error:
            if not request.repeat:
                raise
            yield patience.after(error)
        except Unreachable as error:
            if not request.repeat and error.sent:
                raise
            yield patience.after(error)


def wait_for_rate(link: Link, patience: Patience, error: RateLimited) -> Pause:
    """Return the pause that the master asks for; raises ``error`` when patience is shorter."""
    if error.retry_after > patience.left():
        raise error
    if link.on_rate:
        link.on_rate(error.retry_after)
    return Pause(error.retry_after)
