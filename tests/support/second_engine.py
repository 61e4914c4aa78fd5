"""An engine of a test's own beside the machine's, which it may kill: dockerd with its own folders.

It shares the machine's network, but not its firewall rules, which the other one keeps.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobctl.cluster.image_tags import image_tags
from jobctl.config import Config
from tests.support.eventually import eventually


class SecondEngine:
    """One dockerd (root is needed), whose clusters have their networks within ``subnet``."""

    def __init__(self, subnet: str) -> None:
        # The path of a socket has to be short, and it makes some below its folders.
        self._folder = folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self._rule = ("DOCKER-USER", "-s", subnet, "-d", subnet, "-j", "ACCEPT")
        self._daemon: subprocess.Popen[bytes] | None = None
        self.socket = folder / "engine.sock"
        # Bridged traffic meets the rules of the machine's engine.
        subprocess.run(["iptables", "-I", *self._rule], check=True)
        # One without any bridge removes docker0, which is the other one's.
        self._bridge = f"second{secrets.token_hex(3)}"
        subprocess.run(["ip", "link", "add", self._bridge, "type", "bridge"], check=True)

    @property
    def url(self) -> str:
        """What DOCKER_HOST says of it."""
        return f"unix://{self.socket}"

    def start(self, *options: str) -> None:
        """Start it, unless it runs, and wait until it answers."""
        eventually(lambda: self._answers(options), within=180)

    def end(self, number: signal.Signals) -> None:
        """End it by a signal, and wait for that."""
        assert self._daemon is not None
        self._daemon.send_signal(number)
        self._daemon.wait(120)

    def take(self, images: Iterable[str]) -> None:
        """Copy images of the machine's engine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
            environment = {**os.environ, "DOCKER_HOST": self.url}
            load = ["docker", "load", "--quiet"]
            subprocess.run(load, stdin=saved.stdout, env=environment, check=True)

    def close(self) -> None:
        """End it, with what runs on it."""
        self.end(signal.SIGTERM)
        subprocess.run(["iptables", "-D", *self._rule], check=True)
        subprocess.run(["ip", "link", "delete", self._bridge], check=True)
        # One that is killed leaves its mount behind, and the next makes another one over it.
        unmount = ["umount", "--quiet", "--recursive", f"{self._folder}/data-root"]
        while subprocess.run(unmount, capture_output=True, check=False).returncode == 0:
            pass
        shutil.rmtree(self._folder)

    def _answers(self, options: tuple[str, ...]) -> bool:
        # One that was killed may leave helpers that are on their way out: then the next gives up.
        if self._daemon is None or self._daemon.poll() is not None:
            self._launch(options)
        ping = ["docker", "-H", self.url, "version"]
        return subprocess.run(ping, capture_output=True, check=False).returncode == 0

    def _launch(self, options: tuple[str, ...]) -> None:
        (self._folder / "pidfile").unlink(missing_ok=True)
        parts = ("data-root", "exec-root", "pidfile")
        own = [f"--{part}={self._folder / part}" for part in parts]
        alone = (f"--bridge={self._bridge}", "--iptables=false", "--ip-masq=false")
        with (self._folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                ["dockerd", *own, "-H", self.url, *alone, *options],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@contextmanager
def second_engine(subnet: str, patch: pytest.MonkeyPatch) -> Iterator[SecondEngine]:
    """One that commands find as theirs, with the images that `up` made on the machine's engine."""
    engine = SecondEngine(subnet)
    try:
        engine.start()
        engine.take(image_tags(Config(name="any")).values())
        patch.setenv("DOCKER_HOST", engine.url)
        yield engine
    finally:
        engine.close()
