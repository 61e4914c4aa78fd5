"""What a command works with: the file, the project, the engine and the master, each made on demand.

Importing this module imports none of them, as each package imports its contents on first use:
``jobctl --help`` needs no pydantic, Docker SDK or HTTP client, and ``jobctl submit`` no engine.
"""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import jobctl.client
import jobctl.cluster
import jobctl.config
import jobctl.engine
from jobctl.cli.errors import CommandError, UsageError
from jobctl.cli.output import Output
from jobctl.cluster import state

if TYPE_CHECKING:
    from jobctl.client import Client
    from jobctl.cluster import Connection
    from jobctl.config import Config
    from jobctl.engine.protocol import Engine

DEFAULT_FILE = Path("cluster.yaml")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_NAME_LINE = re.compile(
    r"""^name:\s*(["']?)([a-z0-9][a-z0-9_-]{0,39})\1\s*(?:#.*)?$""", re.MULTILINE
)


class Parts:
    """Where a session gets its parts from; tests hand in their own."""

    def config(self, path: Path) -> "Config":
        """Load a cluster file."""
        return jobctl.config.load(path)

    def engine(self) -> "Engine":
        """Open the container engine that the environment names."""
        return jobctl.engine.open_engine()

    def connection(self, project: str, engine: "Callable[[], Engine]") -> "Connection":
        """Find the master's address and token."""
        return jobctl.cluster.connection(project, engine)

    def client(self, url: str, token: str, on_rate: Callable[[float], None]) -> "Client":
        """Make an HTTP client of the master; limits per client are counted by user and host."""
        user = os.environ.get("USER") or str(os.getuid())
        name = f"{user}@{os.uname().nodename}".encode("ascii", "replace").decode()
        return jobctl.client.Client(url, token, name=name[:200], on_rate=on_rate)


class Session:
    """One run of the command line."""

    def __init__(self, parts: Parts, out: Output, now: Callable[[], float] = time.time) -> None:
        self.parts = parts
        self.out = out
        self.now = now
        self.explain_after, self.explain_again = 3.0, 10.0
        """Seconds without a job running after which a wait says why, and looks again."""
        self.on_rate: Callable[[float], None] | None = None
        """Told the seconds of every wait for a rate limit."""
        self.file: Path | None = None
        self.named_project: str | None = None
        self._config: Config | None = None
        self._engine: Engine | None = None
        self._client: Client | None = None

    @property
    def path(self) -> Path:
        """The cluster file: ``-f``, or the cluster.yaml that applies here."""
        if self.file is not None:
            if not self.file.is_file():
                message = f"There is no cluster file {self.file}."
                raise CommandError(message, "jobctl -f PATH …", "no-file")
            return self.file
        # Looking above this folder needs the whole config package; most commands run beside it.
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else jobctl.config.find(Path.cwd())

    @property
    def config(self) -> "Config":
        """The cluster file, loaded and checked."""
        if self._config is None:
            loaded = self.parts.config(self.path)
            if self.named_project is not None and self.named_project != loaded.name:
                loaded = loaded.model_copy(update={"name": self.project})
            self._config = loaded
        return self._config

    @property
    def project(self) -> str:
        """The cluster's name: ``-p``, or the one in the cluster file."""
        if self.named_project is not None:
            if not _PROJECT.fullmatch(self.named_project):
                raise UsageError(
                    f"{self.named_project!r} is not a project name.",
                    "use 1 to 40 of a-z, 0-9, - and _, beginning with a letter or digit",
                )
            return self.named_project
        if self._config is not None:
            return self._config.name
        # A command for the master needs one name, not a validated file: pydantic alone would take
        # longer than the request. Whatever is not plainly one name is left to the real loader.
        names = _NAME_LINE.findall(self.path.read_text(encoding="utf-8", errors="replace"))
        return str(names[0][1]) if len(names) == 1 else self.config.name

    def engine(self) -> "Engine":
        """The container engine, opened once."""
        if self._engine is None:
            self._engine = self.parts.engine()
        return self._engine

    @property
    def client(self) -> "Client":
        """A client of this cluster's master, connected on first use."""
        if self._client is None:
            found = self.parts.connection(self.project, self.engine)
            self._client = self.parts.client(found.url, found.token, self._rate_waited)
        return self._client

    def own_client(self) -> "Client":
        """Open one more client of the master, for its caller to close: one of little patience.

        It is for who wants to know at once that the master is away.
        """
        found = self.parts.connection(self.project, self.engine)
        return jobctl.client.Client(found.url, found.token, timeout=5.0, patience=1.0)

    def _rate_waited(self, seconds: float) -> None:
        if self.on_rate is not None:
            self.on_rate(seconds)

    def reconnect(self) -> None:
        """Forget the kept token, so that the next use of the client recovers it."""
        state.forget(self.project)
        if self._client is not None:
            self._client.close()
            self._client = None

    def close(self) -> None:
        """Release the connections that were opened."""
        if self._engine is not None:
            self._engine.close()
        if self._client is not None:
            self._client.close()
