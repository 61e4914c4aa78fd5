"""Requests to the master: one place for the token, the repeats and the errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobctl.client.errors import ClientError, Invalid, Unavailable, Unreachable, from_answer

if TYPE_CHECKING:
    import httpx

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_CONNECT_TIMEOUT = 5.0

Params = Mapping[str, str | int | float | None]


class Patience:
    """How long a broken connection is tried again, from the last success on.

    ``seconds`` is asked at each break: it depends on whether the master was ever reached.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Start afresh: something came through."""
        self._pause = _FIRST_PAUSE
        self._since = time.monotonic()

    def pause(self, error: ClientError) -> None:
        """Sleep before the next try, longer each time; raises ``error`` when time is up."""
        if time.monotonic() + self._pause > self._since + self._seconds():
            raise error
        time.sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


class Transport:
    """An HTTP connection pool to one master. Safe to use from several threads.

    ``patience`` (seconds): how long a call that may be repeated is, while the master does not
    answer or its Redis is away. A master that this client has never reached is not waited for,
    unless the call says so.
    """

    def __init__(self, url: str, token: str, timeout: float, patience: float) -> None:
        # Imported here: `jobctl --help` should not pay for it.
        import httpx  # noqa: PLC0415

        self.url = url.rstrip("/")
        self.patience = patience
        self.timeout = timeout
        self._met = False
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            # A proxy from the environment has no way to the user's own machine.
            trust_env=False,
        )
        self._failures = (httpx.TransportError,)
        self._not_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
        self._timeout = httpx.Timeout

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Any = None,
        content: bytes | None = None,
        repeat: bool = True,
        persist: bool = False,
        extra_time: float = 0,
    ) -> httpx.Response:
        """Send a request and return the successful answer.

        ``repeat``: sending it twice does no harm, so a cut reply is no failure yet; otherwise
        only a request that was surely not sent is sent again. ``persist``: wait for a master
        that was never reached, too. ``extra_time``: seconds the master may take over ``timeout``.
        """
        patience = self.reconnecting(persist=persist)
        while True:
            try:
                answer = self._http.request(
                    method,
                    path,
                    params=_given(params),
                    json=json,
                    content=content,
                    timeout=self._timeout(self.timeout + extra_time, connect=_CONNECT_TIMEOUT),
                )
                if answer.is_success:
                    self._met = True
                    return answer
                raise _refusal(answer)
            except Unavailable as error:
                if not repeat:
                    raise
                patience.pause(error)
            except UnicodeEncodeError as error:
                raise Invalid(f"The request is not UTF-8 text: {error.object!r:.80}.") from error
            except self._failures as error:
                told = self._unreachable(error)
                if not repeat and not isinstance(error, self._not_sent):
                    raise told from error
                patience.pause(told)

    def raw(self, path: str) -> httpx.Response:
        """GET once and return whatever the master answers; raises Unreachable."""
        try:
            return self._http.get(path, timeout=self.timeout)
        except self._failures as error:
            raise self._unreachable(error) from error

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        silence: float,
    ) -> Iterator[httpx.Response]:
        """Open an answer to be read piece by piece; ``silence`` s without a byte break it.

        Raises Unreachable also from within the block, when the connection breaks there.
        """
        try:
            with self._http.stream(
                "GET",
                path,
                params=_given(params),
                headers=headers,
                timeout=self._timeout(silence, connect=_CONNECT_TIMEOUT),
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refusal(answer)
                self._met = True
                yield answer
        except self._failures as error:
            raise self._unreachable(error) from error

    def reconnecting(self, *, persist: bool = False) -> Patience:
        """Return the patience for something that is tried again whenever it breaks."""
        return Patience(lambda: self.patience if self._met or persist else 0)

    def _unreachable(self, error: Exception) -> Unreachable:
        message = f"The master at {self.url} does not answer ({_reason(error)})."
        return Unreachable(message, "jobctl ps, then jobctl up", "unreachable")


def _refusal(answer: httpx.Response) -> ClientError:
    try:
        body = answer.json()
    except ValueError:
        body = None
    return from_answer(answer.status_code, body)


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return "connection refused" if "refused" in text else text.rstrip(".").lower()


def _given(params: Params | None) -> dict[str, str | int | float]:
    return {name: value for name, value in (params or {}).items() if value is not None}
