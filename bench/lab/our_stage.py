"""jobctl on the stage: a cluster that `jobctl up` brings up, as a user's."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bench.lab.engine import docker_cli, flags, last_json
from bench.lab.recordings import Recordings
from jobctl.client import Client
from jobctl.client.types import Job
from jobctl.cluster.image_tags import image_tags
from jobctl.config import load

_APPS = Path(__file__).parent.resolve() / "apps"
_CODE = ("recording.py", "tasks.py")


class OurStage:
    """The reference cluster's three workers; Redis gets room for the backlog, and no CPU cap."""

    def __init__(
        self,
        work: Path,
        durability: str,
        *,
        workers: int = 3,
        port: int = 18474,
        keep: int = 0,
        label: str = "",
        settings: Mapping[str, Any] | None = None,
        pool: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = f"jobctl {label or durability}"
        self.setting = f"durability: {durability}, pool of {workers}"
        self._project = f"bench-queue-{label or durability}"
        self._settings = settings or {}
        self._pool = pool or {}
        self._workers = workers
        self.recordings = Recordings(self._project)
        self._folder = work / self._project
        shutil.rmtree(self._folder, ignore_errors=True)
        code = self._folder / "src"
        code.mkdir(parents=True)
        for name in _CODE:
            shutil.copy(_APPS / name, code)
        self._file = self._folder / "cluster.yaml"
        self._file.write_text(yaml.safe_dump(self._cluster(durability, port, keep)))
        self._environment = {**os.environ, "XDG_STATE_HOME": str(work / "state")}

    def _cluster(self, durability: str, port: int, keep: int) -> dict[str, Any]:
        recordings = {"host": str(self.recordings.folder), "path": "/rec", "write": True}
        return {
            "name": self._project,
            "master": {"port": port},
            "redis": {
                "durability": durability,
                "cpus": os.cpu_count(),
                "memory": "4GB",
                "maxmemory": "3GB",
            },
            "workers": {
                "default": {
                    "replicas": self._workers,
                    "code": "./src",
                    "mounts": [recordings],
                    **self._pool,
                }
            },
            **self._settings,
            **({"retention": {"succeeded": {"count": keep}}} if keep else {}),
        }

    def open(self) -> None:
        self.close()
        self.recordings = Recordings(self._project)
        self.run("up")
        self.run("scale", "0")

    def produce(self, mode: str, *numbers: float) -> dict[str, Any]:
        environment = {
            "JOBCTL_PROJECT": self._project,
            "PYTHONPATH": "/opt/jobctl:/opt/jobctl/site:/apps",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        answer: dict[str, Any] = last_json(
            docker_cli(
                *("run", "--rm", "--network", f"{self._project}-net", "-u", "0:0"),
                *("-v", f"{self._project}-secrets:/jobctl/secrets:ro", "-v", f"{_APPS}:/apps:ro"),
                *("-v", f"{self.recordings.folder}:/rec", "-w", "/apps", *flags(environment)),
                *(self._image(), "python3", "producer.py", "jobctl_app", mode),
                *(f"{number:g}" for number in numbers),
            )
        )
        return answer

    def start_workers(self) -> None:
        self.run("scale", str(self._workers))

    def containers(self) -> Mapping[str, str]:
        return {
            "redis": f"{self._project}-redis-1",
            **{f"w{n}": f"{self._project}-worker-{n}" for n in range(1, self._workers + 1)},
        }

    def base(self) -> str:
        """Make the cluster's images; return the one that all others are built on."""
        self.recordings = Recordings(self._project)
        self.run("up")
        found = docker_cli("images", "jobctl-base", "--format", "{{.Repository}}:{{.Tag}}")
        return found.splitlines()[0]

    def client(self) -> Client:
        """Return a client of the master, as a program on the host has it."""
        # As `up` left it: each cluster has a token of its own.
        kept = Path(self._environment["XDG_STATE_HOME"]) / "jobctl" / self._project
        found = json.loads((kept / "connection.json").read_text())
        return Client(found["url"], found["token"])

    def jobs(self) -> list[Job]:
        """Return all jobs there are."""
        rows: list[Job] = []
        cursor: str | None = None
        with self.client() as client:
            while True:
                page = client.jobs(limit=500, cursor=cursor)
                rows += page["jobs"]
                cursor = page["cursor"]
                if cursor is None:
                    return rows

    def measure_ends(self, jobs: int) -> float:
        """Wait for all jobs to end; return seconds from the first start to the last end."""
        ids = [job["id"] for job in self.jobs()]
        with self.client() as client:
            rows = list(client.wait(ids))
        if len(rows) != jobs or any(row["status"] != "succeeded" for row in rows):
            raise RuntimeError(f"{self.name}: not all of {jobs} jobs succeeded")
        ends = [_seconds(row["finished_at"]) for row in rows]
        return max(ends) - min(_seconds(row["started_at"]) for row in rows)

    @property
    def folder(self) -> Path:
        """Where its cluster.yaml is; emptied when a stage of this name is made again."""
        return self._folder

    @property
    def master(self) -> str:
        """The master's container."""
        return f"{self._project}-master-1"

    def close(self) -> None:
        self.run("down", "--volumes", "--yes")
        self.recordings.clear()

    def run(self, *words: str) -> Any:
        """Run a command of the CLI on this cluster; return its data."""
        done = subprocess.run(
            [sys.executable, "-m", "jobctl", "--output", "json", "-f", str(self._file), *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"jobctl {words[0]}: {(done.stdout + done.stderr)[-2000:]}")
        return json.loads(done.stdout)["data"] if done.stdout.strip() else None

    def _image(self) -> str:
        """The worker's image without the pool's code: jobctl.queue and its client library."""
        return image_tags(load(self._file))["worker"]


def _seconds(moment: str | None) -> float:
    """Return an instant of the API as seconds since 1970."""
    return datetime.fromisoformat(moment or "").timestamp()
