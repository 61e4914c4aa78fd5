"""The connection to Docker: the only file that imports the SDK.

Its low-level client serves for its transport and its calls; what it raises becomes ours here.
"""

import socket
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, create_api_error_from_http_exception
from docker.tls import TLSConfig
from docker.utils import version_lt

from jobctl.engine import failures
from jobctl.engine.endpoint import Endpoint
from jobctl.engine.errors import EngineError
from jobctl.engine.frames import payloads

# The newest API whose answers translate.py knows; older engines are spoken to in their own.
_API = "1.45"
_PROBE_API = "1.24"  # any will do: what it asks are unversioned calls
ANSWER_TIMEOUT = 120  # s: fifty starts at once queue for ten seconds on a small host


class Docker:
    """One connection pool to one engine, for one thread (the SDK promises no more)."""

    def __init__(self, endpoint: Endpoint, api: str) -> None:
        self.endpoint = endpoint
        self.api = _client(endpoint, api)

    @classmethod
    def open(cls, endpoint: Endpoint) -> "Docker":
        """Ask the engine which API it speaks, and settle on one that both sides know."""
        with _naming_failures(endpoint, "connect"):
            probe = _client(endpoint, _PROBE_API)
            newest = _newest_api(probe)
            probe.close()
        return cls(endpoint, newest if version_lt(newest, _API) else _API)

    def clone(self) -> "Docker":
        """Return a connection pool of its own for another thread."""
        return Docker(self.endpoint, self.api.api_version)

    def doing(self, what: str) -> AbstractContextManager[None]:
        """Name what is attempted, for the sentence that its failure becomes."""
        return _naming_failures(self.endpoint, what)

    def stream(self, method: str, path: str, **request: Any) -> requests.Response:
        """Send a request whose answer is read as it comes, without any timeout."""
        url = f"{self.api.base_url}/v{self.api.api_version}{path}"
        response = self.api.request(method, url, stream=True, timeout=None, **request)
        _check(response)
        return response

    def output(self, response: requests.Response) -> Iterator[bytes]:
        """Yield a stream's stdout and stderr in order; a dropped connection is an end, too."""
        with response:
            yield from payloads(_reader(response))


class Stream:
    """An answer without an end, read by one thread; any other may hang up."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        # Kept, because the answer forgets its connection once it has been read to the end.
        connection = response.raw.connection
        self._socket: socket.socket | None = getattr(connection, "sock", None)

    def lines(self) -> Generator[bytes]:
        """Yield lines as they come; a dropped connection is an end, too."""
        with self._response, suppress(requests.RequestException, urllib3.exceptions.HTTPError):
            # A chunk is what the engine wrote at once: it arrives without waiting for this many.
            yield from self._response.iter_lines(chunk_size=65536)

    def hang_up(self) -> None:
        """Wake whoever waits for the next line: closing the answer would wait for him."""
        if self._socket is None:
            return
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if hasattr(self._socket, "proc"):  # over ssh it is a program that forwards
            with suppress(OSError):
                self._socket.close()


@contextmanager
def _naming_failures(endpoint: Endpoint, what: str) -> Iterator[None]:
    """Turn the SDK's and its HTTP layers' exceptions into ours."""
    try:
        yield
    except APIError as error:
        reason = str(error.explanation or error)
        raise failures.refused(error.status_code or 0, reason, what) from error
    except requests.Timeout as error:
        raise EngineError(
            f"Could not {what}: the engine did not answer within {ANSWER_TIMEOUT} s.",
            "jobctl doctor",
        ) from error
    except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
        raise failures.silent(error, endpoint.url, endpoint.source) from error
    except DockerException as error:
        raise EngineError(
            f"Could not {what}: {str(error).rstrip('.')}.", "jobctl doctor"
        ) from error


def _newest_api(probe: docker.APIClient) -> str:
    """Ask for the newest API that the engine speaks.

    By a ping, which says so in its header: to tell its version the engine starts programs.
    """
    pong = probe.get(f"{probe.base_url}/_ping", timeout=ANSWER_TIMEOUT)
    _check(pong)
    if newest := pong.headers.get("Api-Version"):
        return str(newest)
    # Something between us and the engine leaves it out.
    answer: dict[str, Any] = probe.version(api_version=False)
    return str(answer["ApiVersion"])


def _check(response: requests.Response) -> None:
    """Raise the SDK's error for an answer that is one."""
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        create_api_error_from_http_exception(error)


def _client(endpoint: Endpoint, api: str) -> docker.APIClient:
    """Make a client that speaks the given API version; no request is sent."""
    tls = endpoint.tls and TLSConfig(
        client_cert=(str(endpoint.tls.cert), str(endpoint.tls.key)),
        ca_cert=str(endpoint.tls.ca),
        verify=endpoint.tls.verify,
    )
    client = docker.APIClient(
        endpoint.url,
        version=api,
        timeout=ANSWER_TIMEOUT,
        tls=tls or False,
        use_ssh_client=endpoint.url.startswith("ssh://"),
    )
    # For a local socket there is no proxy and no .netrc to look up at every request.
    client.trust_env = not endpoint.url.startswith("unix://")
    return client


def by_label(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the engine's filter for objects that carry all the labels."""
    return {"label": [f"{name}={value}" for name, value in labels.items()]}


def _reader(response: requests.Response) -> Callable[[int], bytes]:
    def read(size: int) -> bytes:
        try:
            return bytes(response.raw.read(size))
        except (urllib3.exceptions.HTTPError, OSError):
            return b""

    return read
