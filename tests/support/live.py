"""A real cluster for one test: driven through the command line, as a user drives it."""

import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jobctl.client import Client, ClientError
from jobctl.engine import open_engine
from jobctl.engine.errors import Conflict, EngineError
from jobctl.engine.protocol import Engine
from tests.support.eventually import eventually
from tests.support.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
FLAGS = {"host": "./flags", "path": "/flags"}
"""A mount of a pool: jobs of it see what is in the folder `flags` beside the cluster's file."""
UNTIL_LET_GO = "until [ -e /flags/$JOBCTL_JOB ]; do sleep 0.05; done"
"""A shell command: it ends when its job is let go, however slow the machine."""
_PATIENCE = 60.0
"""Seconds that a client waits for a master that is on its way back, on however busy a machine."""


@dataclass(frozen=True)
class Ran:
    """How one command of jobctl ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The ``data`` of a JSON envelope."""
        return json.loads(self.out)["data"]


class LiveCluster:
    """One project of its own: a folder, a cluster.yaml, a port; all of it removed at the end."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.project = f"t{secrets.token_hex(4)}"
        self.port = free_port()
        self.file = folder / "cluster.yaml"
        (folder / "flags").mkdir()
        self.environment = {
            **os.environ,
            "XDG_STATE_HOME": str(folder / "state"),
        }
        self.engine: Engine = open_engine()
        self._clients: dict[tuple[str, str], Client] = {}
        self.write(dict(settings or {}))

    def write(self, settings: dict[str, Any]) -> None:
        """Write the cluster file: the given settings under this project's name and port."""
        self.settings = settings
        master = {"port": self.port, **settings.get("master", {})}
        whole = {"name": self.project, **settings, "master": master}
        self.file.write_text(yaml.safe_dump(whole, sort_keys=False))

    def command(self, *arguments: str) -> list[str]:
        """Return the argv of one jobctl command on this cluster."""
        return [sys.executable, "-m", "jobctl", "-f", str(self.file), *arguments]

    def run(
        self,
        *arguments: str,
        check: bool = True,
        within: float = 180.0,
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run one jobctl command to its end; with ``check``, a failure fails the test."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"jobctl {' '.join(arguments)} ended with {done.returncode}\n"
                f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return Ran(done.returncode, done.stdout, done.stderr)

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one jobctl command and let it run."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def json(self, *arguments: str) -> Any:
        """Run one command with ``--output json`` and return its data."""
        return self.run("--output", "json", *arguments).data

    def submit(self, *arguments: str) -> list[str]:
        """Submit and return the ids."""
        return self.run("submit", *arguments).out.split()

    def job(self, job_id: str) -> Any:
        """Return everything the cluster knows of one job."""
        return self.client.job(job_id)

    def jobs(self, ids: Iterable[str]) -> list[Any]:
        """Return everything the cluster knows of some jobs, in the order of their ids."""
        return [self.job(job_id) for job_id in ids]

    def wait(self, *ids: str, within: float = 180.0) -> None:
        """Wait until all the jobs ended (however they ended)."""
        for _ended in self.client.wait(ids, within):
            pass

    @property
    def client(self) -> Client:
        """The client of this cluster's master, with the token that `up` left for the user."""
        found = (self.url, self.token)
        if found not in self._clients:
            self._clients[found] = Client(*found, patience=_PATIENCE)
        return self._clients[found]

    def let_go(self, *names: str) -> None:
        """Make flags: jobs that wait for them, or for their own ids, go on."""
        for name in names:
            (self.folder / "flags" / name).touch()

    def artifact(self, job_id: str, path: str) -> bytes:
        """Return the content of one file that the job's accepted attempt left."""
        return self.client.artifact(job_id, path, self.folder / "artifact").read_bytes()

    def refused_artifact(self, job_id: str, path: str) -> str:
        """Return the code of the error that downloading the file ends in."""
        try:
            self.client.artifact(job_id, path, self.folder / "artifact")
        except ClientError as error:
            return error.code
        raise AssertionError(f"{path} was served")

    def successes(self) -> Counter[str]:
        """Count accepted successes per job, as the event stream tells them from its start."""
        [last] = self.submit("--", "true")
        found: Counter[str] = Counter()
        for event in self.client.events("0"):
            ended = [t["id"] for t in event["transitions"] if t["status"] == "succeeded"]
            found.update(ended)
            if last in ended:
                break
        return found

    @property
    def token(self) -> str:
        """The HTTP token, as `up` left it for the user."""
        return str(self._connection["token"])

    @property
    def _connection(self) -> Any:
        state = self.folder / "state" / "jobctl" / self.project / "connection.json"
        return json.loads(state.read_text())

    def container(self, instance: str) -> str:
        """Return the container name of an instance such as ``worker-2``."""
        return f"{self.project}-{instance}"

    @property
    def url(self) -> str:
        """The master's address."""
        return str(self._connection["url"])

    def crash(self, instance: str) -> None:
        """Kill all that runs in a container from inside: its restart policy brings it back.

        What is killed through the engine stays down for it.
        """
        self.engine.execute(self.container(instance), ("sh", "-c", "kill -9 -1"))

    def pause(self, instance: str) -> None:
        """Freeze an instance.

        Under load runc gives up at freezing what is busy, and thaws it again: then once more.
        """

        def freeze() -> bool:
            try:
                self.engine.pause(self.container(instance))
            except EngineError as error:
                if "unable to freeze" not in str(error):
                    raise
                return False
            return True

        eventually(freeze)

    def restart(self, instance: str) -> None:
        """Stop an instance politely and start it again."""
        self.engine.stop(self.container(instance), timeout=10)
        self.engine.start(self.container(instance))

    def close(self) -> None:
        """Remove everything of this project from the engine."""
        eventually(self._removed)
        self.engine.close()
        for client in self._clients.values():
            client.close()

    def _removed(self) -> bool:
        """Remove all that is seen; False when a controller's last call made something meanwhile."""
        mine = {"com.docker.compose.project": self.project}
        # First what would bring the others back.
        every = self.engine.containers({"jobctl.project": self.project})
        for container in sorted(every, key=lambda c: "-controller-" not in c.name):
            self.engine.remove(container.name, force=True)
        if self.engine.containers({"jobctl.project": self.project}):
            return False
        try:
            for network in self.engine.networks(mine):
                self.engine.remove_network(network.name)
            for volume in self.engine.volumes(mine):
                self.engine.remove_volume(volume.name)
        except Conflict:
            return False
        return True
