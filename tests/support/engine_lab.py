"""A corner of an engine for one test: unique names, one label on everything, gone afterwards."""

import io
import secrets
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jobctl.engine.model import ContainerDetail, ContainerSpec
from jobctl.engine.protocol import Engine
from tests.support.eventually import eventually


@dataclass(frozen=True)
class Lab:
    """An engine, an image with a shell in it, and names of this test's own.

    Its containers are in the network ``common``, or ("") in one of this test's own.
    """

    engine: Engine
    image: str
    common: str = ""
    run: str = field(default_factory=lambda: f"jt{secrets.token_hex(4)}")

    @property
    def labels(self) -> dict[str, str]:
        return {"jobctl.test": self.run}

    def name(self, suffix: str) -> str:
        return f"{self.run}-{suffix}"

    def network(self) -> str:
        """Return the name of this test's network; made at the first call."""
        name = self.name("net")
        if all(network.name != name for network in self.engine.networks(self.labels)):
            self.engine.create_network(name, self.labels)
        return name

    def home(self) -> str:
        """Return the name of the network that its containers are in."""
        return self.common or self.network()

    def volume(self, suffix: str) -> str:
        name = self.name(suffix)
        self.engine.create_volume(name, self.labels)
        return name

    def spec(self, suffix: str, *command: str, **changes: Any) -> ContainerSpec:
        """Describe a small container; it sleeps unless told otherwise."""
        fields: dict[str, Any] = {
            "name": self.name(suffix),
            "image": self.image,
            "command": command or ("sleep", "1000"),
            "network": self.home(),
            "aliases": (suffix,),
            "cpus": 0.5,
            "memory": 32 << 20,
            "pids": 32,
            "labels": self.labels,
            "health": None,
            "restart": "no",
        }
        return ContainerSpec(**(fields | changes))

    def create(self, suffix: str, *command: str, **changes: Any) -> str:
        """Create a container and return its name."""
        spec = self.spec(suffix, *command, **changes)
        self.engine.create(spec)
        return spec.name

    def start(self, suffix: str, *command: str, **changes: Any) -> str:
        """Create and start a container and return its name."""
        name = self.create(suffix, *command, **changes)
        self.engine.start(name)
        return name

    def inspect(self, name: str) -> ContainerDetail:
        detail = self.engine.inspect(name)
        assert detail is not None, f"{name} does not exist"
        return detail

    def ended(self, name: str) -> ContainerDetail:
        """Wait for a container's end and return what it was."""
        eventually(lambda: self.inspect(name).state == "exited")
        return self.inspect(name)

    def clean(self) -> None:
        """Remove everything that carries this test's label."""
        for container in self.engine.containers(self.labels):
            self.engine.remove(container.id, force=True)
        for network in self.engine.networks(self.labels):
            self.engine.remove_network(network.id)
        for volume in self.engine.volumes(self.labels):
            self.engine.remove_volume(volume.name)


@contextmanager
def lab_of(engine: Engine, image: str, common: str = "") -> Iterator[Lab]:
    """Lend a lab and clean it whatever happens."""
    lab = Lab(engine, image, common)
    try:
        yield lab
    finally:
        lab.clean()


def together(count: int, engine: Engine, call: Callable[[Engine], None]) -> None:
    """Make a call from several clients at the same moment; raises what the first of them raised."""
    start = threading.Barrier(count)

    def one(client: Engine) -> None:
        start.wait()
        try:
            call(client)
        finally:
            client.close()

    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(one, engine.clone()) for _ in range(count)]
    for done in calls:
        done.result()


def tar_of(files: Mapping[str, bytes], *, uid: int = 0, mode: int = 0o644) -> bytes:
    """Pack files as a tar archive; a name that ends in / is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.uid = entry.gid = uid
            entry.mode, entry.size = mode, len(data)
            if name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def files_in(archive: bytes | None) -> dict[str, bytes]:
    """Unpack the files of a tar archive."""
    assert archive is not None, "there is no such path"
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {m.name: file.read() for m in tar if (file := tar.extractfile(m))}
