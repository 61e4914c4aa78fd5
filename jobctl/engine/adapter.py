"""The Engine protocol over Docker, put together from its parts."""

from jobctl.engine.containers import DockerContainers
from jobctl.engine.docker import Docker
from jobctl.engine.endpoint import Endpoint
from jobctl.engine.events import DockerEvents
from jobctl.engine.images import DockerImages
from jobctl.engine.model import EngineInfo
from jobctl.engine.networks import DockerNetworks


class DockerEngine(DockerContainers, DockerEvents, DockerImages, DockerNetworks):
    """An engine behind one connection pool, for one thread."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker

    @classmethod
    def open(cls, endpoint: Endpoint) -> "DockerEngine":
        """Connect; raises EngineUnreachable or EngineDenied."""
        return cls(Docker.open(endpoint))

    def clone(self) -> "DockerEngine":
        """Return an independent client of the same engine; asks the engine nothing."""
        return DockerEngine(self._docker.clone())

    def close(self) -> None:
        """Release the connections."""
        self._docker.api.close()

    def info(self) -> EngineInfo:
        """Describe the engine and how it was found."""
        with self._docker.doing("ask for the engine's description"):
            data = self._docker.api.info()
        return EngineInfo(
            id=data["ID"],
            version=str(data["ServerVersion"]),
            api=self._docker.api.api_version,
            endpoint=self._docker.endpoint.url,
            source=self._docker.endpoint.source,
            cpus=data["NCPU"],
            memory=data["MemTotal"],
            cgroup=str(data.get("CgroupVersion", "1")),
            host=str(data.get("Name", "")),
            kernel=str(data.get("KernelVersion", "")),
            security=tuple(map(str, data.get("SecurityOptions") or ())),
        )
