"""Docker Compose in the benchmark: an equivalent file, gated on health, checked every second."""

import shutil
import subprocess
import time
from pathlib import Path

from bench.up.rival import CONTAINERS, PORTS

FILE = """\
name: bench-compose
networks: {{jobs: {{driver: bridge}}}}
volumes: {{logs: {{}}, redis-data: {{}}}}
services:
  redis:
    image: {redis}
    command: {redis_command}
    volumes: [redis-data:/data]
    networks: [jobs]
    init: true
    healthcheck: {{test: [CMD, redis-cli, ping], interval: 1s, timeout: 3s, retries: 30}}
  master:
    image: {master}
    command: {master_command}
    volumes: ["{code}:/app:ro"]
    ports: ["127.0.0.1:{port}:8000"]
    networks: [jobs]
    init: true
    depends_on: {{redis: {{condition: service_healthy}}}}
    healthcheck:
      test: [CMD, python3, -c, "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/ready')"]
      interval: 1s
      timeout: 3s
      retries: 30
  worker:
    image: {master}
    command: {worker_command}
    deploy: {{replicas: 3, resources: {{limits: {{cpus: "0.5", memory: 128m}}}}}}
    volumes: ["{code}:/app:ro", logs:/logs]
    networks: [jobs]
    init: true
    depends_on: {{redis: {{condition: service_healthy}}}}
    healthcheck: {{test: [CMD, test, -f, /tmp/ready], interval: 1s, timeout: 3s, retries: 30}}
"""


class Compose:
    """`docker compose` v2, from the plugin if there is one, otherwise from Debian's package."""

    def __init__(self, work: Path, images: dict[str, str]) -> None:
        self.argv = binary(work)
        self.file = work / "compose.yaml"
        self.file.write_text(
            FILE.format(
                redis=images["redis"],
                master=images["master"],
                redis_command=CONTAINERS["redis"],
                master_command=CONTAINERS["master"],
                worker_command=CONTAINERS["worker"],
                code=Path(__file__).parent.resolve(),
                port=PORTS["compose"],
            )
        )

    def version(self) -> str:
        """Return what is measured."""
        return f"compose {self._run('version', '--short').strip()}"

    def up(self) -> float:
        """Bring the services up and wait until they are healthy."""
        return self._timed("up", "-d", "--wait")

    def again(self) -> float:
        """Bring them up again."""
        return self._timed("up", "-d", "--wait")

    def scale(self) -> float:
        """Grow from 3 workers to 20, all healthy."""
        return self._timed("up", "-d", "--wait", "--scale", "worker=20")

    def down(self) -> float:
        """Take everything down, volumes included."""
        return self._timed("down", "-v", "-t", "1")

    def clear(self) -> None:
        """Leave nothing behind."""
        self._run("down", "-v", "-t", "1")

    def _timed(self, *arguments: str) -> float:
        started = time.perf_counter()
        self._run(*arguments)
        return time.perf_counter() - started

    def _run(self, *arguments: str) -> str:
        argv = [*self.argv, "-f", str(self.file), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"compose {' '.join(arguments)}: {done.stderr}")
        return done.stdout


def binary(work: Path) -> list[str]:
    """Return the argv that runs Compose v2, unpacking Debian's package of it if need be."""
    plugin = ["docker", "compose"]
    if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
        return plugin
    found = shutil.which("docker-compose")
    if found:
        return [found]
    unpacked = work / "compose" / "usr" / "libexec" / "docker" / "cli-plugins" / "docker-compose"
    if not unpacked.exists():
        unpack_from_debian(work / "compose")
    return [str(unpacked)]


def unpack_from_debian(folder: Path) -> None:
    """Download Debian's newest docker-compose package (without installing it) and unpack it."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Codename: bookworm"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    lists = folder / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    sources.write_text(f"deb [signed-by={keyring}] {targets[0]} forky main\n")
    options = [
        *("-o", f"Dir::Etc::sourcelist={sources}", "-o", "Dir::Etc::sourceparts=-"),
        *("-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={folder}"),
        *("-o", "Acquire::Check-Valid-Until=false", "-o", "APT::Sandbox::User=root"),
    ]
    for command in (["update"], ["download", "docker-compose"]):
        subprocess.run(
            ["apt-get", "-q", *options, *command], cwd=folder, check=True, capture_output=True
        )
    [package] = folder.glob("docker-compose_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
