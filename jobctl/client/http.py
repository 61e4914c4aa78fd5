"""What both transports tell the HTTP library, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from jobctl.client.errors import ClientError, Invalid, Unreachable
from jobctl.client.request import Request, given
from jobctl.client.script import Link, Open, Play

_CONNECT_TIMEOUT = 5.0
_LONGEST_NAME = 200


class Http:
    """Arguments and errors of ``httpx``, which is handed in: importing it takes a while."""

    def __init__(self, link: Link, httpx: ModuleType) -> None:
        self.link = link
        self._timeout = httpx.Timeout
        self._failures = (httpx.TransportError,)
        self._not_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

    def options(self, token: str, name: str) -> dict[str, Any]:
        """Return the settings of an HTTP client; ``name`` says who submits, for rate limits.

        Raises Invalid for a name that a header cannot carry.
        """
        if not (name.isascii() and name.isprintable() and len(name) <= _LONGEST_NAME):
            message = f"A client's name is at most {_LONGEST_NAME} printable ASCII characters."
            raise Invalid(message, 'Client(…, name="importer")')
        headers = {"Authorization": f"Bearer {token}"} | ({"Jobctl-Client": name} if name else {})
        # A proxy from the environment has no way to the user's own machine.
        return {"base_url": self.link.url, "headers": headers, "trust_env": False}

    def arguments(self, request: Request[Any]) -> dict[str, Any]:
        """Return what a request is sent with."""
        content = request.content
        return {
            "method": request.method,
            "url": request.path,
            "params": request.given_params(),
            "json": request.json,
            "content": content() if callable(content) else content,
            "headers": None if content is None else {"Content-Type": request.content_type},
            "timeout": self._limits(self.link.timeout + request.extra_time),
        }

    def stream_arguments(self, step: Open) -> dict[str, Any]:
        """Return what an answer is opened with that is read piece by piece."""
        return {
            "method": "GET",
            "url": step.path,
            "params": given(step.params),
            "headers": step.headers,
            "timeout": self._limits(step.silence),
        }

    def _limits(self, seconds: float) -> Any:
        return self._timeout(seconds, connect=_CONNECT_TIMEOUT)

    @contextmanager
    def failures(self, play: Play[Any]) -> Iterator[None]:
        """Tell the script whatever goes wrong within, in the client's own words."""
        try:
            yield
        except ClientError as error:
            play.fail(error)
        except UnicodeEncodeError as error:
            play.fail(Invalid(f"The request is not UTF-8 text: {error.object!r:.80}."))
        except self._failures as error:
            unreachable = self.unreachable(_reason(error))
            unreachable.sent = not isinstance(error, self._not_sent)
            unreachable.__cause__ = error
            play.fail(unreachable)

    def unreachable(self, reason: str) -> Unreachable:
        """Return the error for a master that does not answer."""
        message = f"The master at {self.link.url} does not answer ({reason})."
        return Unreachable(message, "jobctl ps, then jobctl up", "unreachable")


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return "connection refused" if "refused" in text else text.rstrip(".").lower()
