"""Containers of the contestants: started the same way, and what they used of the machine."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker

MIB = 1 << 20


def docker_cli(*words: str | int, check: bool = True) -> str:
    """Run a docker command; return what it printed."""
    done = subprocess.run(["docker", *map(str, words)], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {words[0]}: {done.stderr[-2000:]}")
    return done.stdout.strip()


def remove(names: Sequence[str]) -> None:
    """Remove containers that may not exist, with their anonymous volumes."""
    docker_cli("rm", "-f", "-v", *names, check=False)


def flags(environment: Mapping[str, str | int]) -> list[str]:
    """Return the -e flags of an environment."""
    return [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]


def hosts(api: docker.APIClient, containers: Mapping[str, str]) -> dict[str, str]:
    """Return the ids of a contestant's workers by host name, which is what their jobs sign with."""
    found = {}
    for key, name in containers.items():
        if key != "redis":
            detail = api.inspect_container(name)
            found[detail["Config"]["Hostname"]] = detail["Id"]
    return found


class Gauge:
    """Reads containers' CPU from the kernel, at once, and their memory as the engine tells it."""

    def __init__(self) -> None:
        self._client = docker.from_env(version="auto")
        self._usage: dict[str, Path] = {}

    def cpu(self, containers: Mapping[str, str]) -> dict[str, float]:
        """Return the CPU seconds used so far by running containers, by the mapping's keys."""
        return {key: _seconds(self._file(name)) for key, name in containers.items()}

    def memory(self, container: str) -> float:
        """Return the MiB that `docker stats` shows: without the page cache it could give back."""
        told = self._client.api.stats(container, stream=False, one_shot=True)["memory_stats"]
        detail = told["stats"]
        cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
        return float(told["usage"] - cache) / MIB

    def version(self) -> str:
        """Return the engine's version."""
        return str(self._client.version()["Version"])

    def _file(self, name: str) -> Path:
        found = self._client.containers.get(name)
        key = str(found.id)
        if key not in self._usage:
            self._usage[key] = _usage_file(found.attrs["State"]["Pid"])
        return self._usage[key]


def _usage_file(pid: int) -> Path:
    """Where the kernel counts the CPU of a process' control group, version 1 or 2."""
    root = Path("/sys/fs/cgroup")
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpuacct" in controllers.split(","):
            return root / "cpuacct" / path.lstrip("/") / "cpuacct.usage"
        if not controllers and (root / "cgroup.controllers").exists():
            return root / path.lstrip("/") / "cpu.stat"
    raise RuntimeError(f"no control group counts the CPU of process {pid}")


def _seconds(file: Path) -> float:
    text = file.read_text()
    if file.name == "cpuacct.usage":
        return int(text) / 1e9
    usage = dict(line.split() for line in text.splitlines())
    return int(usage["usage_usec"]) / 1e6


def last_json(text: str) -> Any:
    """Return the last line of a container's output, parsed."""
    return json.loads(text.splitlines()[-1])
