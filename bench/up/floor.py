"""The floor: bare SDK calls that start the same containers at once and poll until all are ready.

No plan, no labels, no secrets, no health checks, no drain: what the engine itself costs. The start
of Python and the import of the SDK are not counted.
"""

import http.client
import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker

from bench.up.rival import CONTAINERS, PORTS

NAME = "bench-floor"


class Floor:
    """The reference topology by SDK calls alone."""

    def __init__(self, images: dict[str, str]) -> None:
        self.images = images
        self.client = docker.from_env()
        self.code = str(Path(__file__).parent.resolve())
        self.running: list[str] = []

    def version(self) -> str:
        """Return what is measured."""
        return f"docker SDK {docker.__version__}"

    def up(self) -> float:
        """Create and start everything, until three workers have registered."""
        started = time.perf_counter()
        self.client.networks.create(NAME, driver="bridge")
        for volume in ("logs", "redis"):
            self.client.volumes.create(f"{NAME}-{volume}")
        self._start(["master", "redis", "worker-1", "worker-2", "worker-3", "controller"])
        self._until(3)
        return time.perf_counter() - started

    def again(self) -> float:
        """Look at every container once: what an unchanged cluster costs at the least."""
        started = time.perf_counter()
        self.client.api.containers(all=True, filters={"name": NAME})
        return time.perf_counter() - started

    def scale(self) -> float:
        """Start 17 more workers, until all have registered."""
        started = time.perf_counter()
        self._start([f"worker-{number}" for number in range(4, 21)])
        self._until(20)
        return time.perf_counter() - started

    def down(self) -> float:
        """Remove everything by force."""
        started = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._remove, self.running))
        self.running.clear()
        self.client.networks.get(NAME).remove()
        for volume in ("logs", "redis"):
            self.client.volumes.get(f"{NAME}-{volume}").remove()
        return time.perf_counter() - started

    def clear(self) -> None:
        """Leave nothing behind."""
        if self.running:
            self.down()

    def _start(self, names: Iterable[str]) -> None:
        wanted = list(names)
        self.running += wanted
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._run, wanted))

    def _run(self, name: str) -> None:
        kind = name.split("-", maxsplit=1)[0]
        host: dict[str, Any] = {"network_mode": NAME, "init": True}
        if kind == "redis":
            host["binds"] = [f"{NAME}-redis:/data"]
        else:
            host["binds"] = [f"{self.code}:/app:ro"]
        if kind == "master":
            host["port_bindings"] = {8000: ("127.0.0.1", PORTS["floor"])}
        if kind == "controller":
            host["binds"].append("/var/run/docker.sock:/var/run/docker.sock:ro")
            host |= {"nano_cpus": 500_000_000, "mem_limit": "128m", "memswap_limit": "128m"}
        if kind == "worker":
            host["binds"].append(f"{NAME}-logs:/logs")
            host |= {"nano_cpus": 500_000_000, "mem_limit": "128m", "memswap_limit": "128m"}
        api = self.client.api
        container = api.create_container(
            self.images[kind if kind in ("redis", "controller") else "master"],
            CONTAINERS[kind],
            name=f"{NAME}-{name}",
            ports=[8000],
            host_config=api.create_host_config(**host),
            networking_config={
                "EndpointsConfig": {NAME: api.create_endpoint_config(aliases=[kind])}
            },
        )
        api.start(container)

    def _remove(self, name: str) -> None:
        self.client.api.remove_container(f"{NAME}-{name}", force=True)

    def _until(self, workers: int) -> None:
        while True:
            with suppress(OSError, http.client.HTTPException, ValueError):
                connection = http.client.HTTPConnection("127.0.0.1", PORTS["floor"], timeout=1)
                connection.request("GET", "/ready")
                response = connection.getresponse()
                if response.status == 200 and json.load(response)["workers"] >= workers:
                    return
            time.sleep(0.02)
