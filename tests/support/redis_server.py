"""A private, real Redis for a test: append-only, on a unix socket, killable at will."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class RedisServer:
    """A redis-server of its own; use as a context manager.

    `stop` ends it hard (SIGKILL), `start` brings it back on the same data.
    """

    def __init__(self, *options: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="jobctl-redis-")
        self.options = list(options)
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(self._folder.name)
        self.socket = str(self.folder / "redis.sock")

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Start (again) and wait until it answers; the data of the last time is there."""
        command = ["redis-server", "--port", "0", "--unixsocket", self.socket]
        command += ["--dir", str(self.folder), "--save", "", "--appendonly", "yes"]
        command += ["--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
        log = self.folder / "log"
        with log.open("ab") as out:
            self._process = subprocess.Popen([*command, *self.options], stdout=out, stderr=out)
        with self.client() as client:
            for _ in range(500):
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    return
                if self._process.poll() is not None:
                    break
                time.sleep(0.01)
        raise RuntimeError(f"redis-server did not start:\n{log.read_text(errors='replace')}")

    def stop(self) -> None:
        """SIGKILL, as when a machine stops."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP for a while: it accepts connections but does not answer."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def client(self) -> redis.Redis:
        """A plain client, for looking behind the queue's back."""
        retry = Retry(NoBackoff(), 0)
        return redis.Redis(
            unix_socket_path=self.socket, decode_responses=True, protocol=2, retry=retry
        )
