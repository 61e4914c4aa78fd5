"""A rival on the stage: Redis on disk every second, workers under the reference cluster's caps."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.lab.engine import docker_cli, flags, last_json, remove
from bench.lab.recordings import Recordings
from bench.lab.rivals import Rival

_APPS = Path(__file__).parent.resolve() / "apps"
# What jobctl gives its own Redis, the other settings below too: worth a quarter more to some
# rivals.
_REDIS_WEIGHT = 8192
_CAPS = ("--cpus", "0.5", "--memory", "128m", "--memory-swap", "128m", "--init")


class RivalStage:
    """One rival with a fresh Redis."""

    def __init__(self, rival: Rival, image: str, workers: int = 3) -> None:
        self.rival = rival
        self.name = rival.name
        self.setting = rival.setting
        self.recordings = Recordings(rival.name)
        self._image = image
        self._redis = f"jobctl-bench-{rival.name}-redis"
        self._workers = [f"jobctl-bench-{rival.name}-w{n}" for n in range(1, workers + 1)]
        self._producer = f"jobctl-bench-{rival.name}-producer"
        # One each: an engine makes two of the same name for two who ask at the same time.
        self._network = f"jobctl-bench-{rival.name}"

    def open(self) -> None:
        docker_cli("network", "create", self._network, check=False)
        remove([self._redis, *self._workers, self._producer])
        self.recordings = Recordings(self.name)
        docker_cli(
            *("run", "-d", "--name", self._redis, "--network", self._network),
            *("--cpu-shares", _REDIS_WEIGHT, self._image),
            *("redis-server", "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--auto-aof-rewrite-min-size", "256mb", "--latency-tracking", "no"),
            *("--protected-mode", "no", "--dir", "/tmp"),
        )
        while "PONG" not in docker_cli("exec", self._redis, "redis-cli", "ping", check=False):
            time.sleep(0.1)

    def produce(self, mode: str, *numbers: float) -> dict[str, Any]:
        words = [*self.rival.producer.split(), mode, *(f"{number:g}" for number in numbers)]
        answer: dict[str, Any] = last_json(
            docker_cli("run", "--rm", "--name", self._producer, *self._common(), *words)
        )
        return answer

    def start_workers(self) -> None:
        for name in self._workers:
            words = self.rival.worker.split()
            docker_cli("run", "-d", "--name", name, *_CAPS, *self._common(), *words)

    def ask(self, *words: str) -> Any:
        """Run a program of the image beside the rival's Redis; return the JSON that it prints."""
        return last_json(docker_cli("run", "--rm", *self._common(), *words))

    def containers(self) -> Mapping[str, str]:
        return {"redis": self._redis, **{name: name for name in self._workers}}

    def close(self) -> None:
        remove([self._redis, *self._workers, self._producer])
        docker_cli("network", "rm", self._network, check=False)
        self.recordings.clear()

    def _common(self) -> list[str]:
        environment = {
            "REDIS_HOST": self._redis,
            "PYTHONPATH": "/apps",
            "PYTHONDONTWRITEBYTECODE": 1,
            **self.rival.environment,
        }
        return [
            *("--network", self._network, "-v", f"{_APPS}:/apps:ro", "-w", "/apps"),
            *("-v", f"{self.recordings.folder}:/rec", *flags(environment), self._image),
        ]
