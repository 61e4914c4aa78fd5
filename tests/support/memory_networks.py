"""Networks and volumes of the in-memory engine."""

from collections.abc import Mapping

from jobctl.engine.errors import Conflict, NotFound
from jobctl.engine.model import EngineEvent, Network, Volume
from tests.support import memory_life
from tests.support.memory_files import FileTree
from tests.support.memory_world import ALIVE, World, mutating


class MemoryNetworks:
    """Network and volume calls."""

    world: World

    def networks(self, labels: Mapping[str, str]) -> list[Network]:
        with self.world.changed:
            return [n for n in self.world.networks.values() if labels.items() <= n.labels.items()]

    @mutating
    def create_network(
        self, name: str, labels: Mapping[str, str], subnet: str | None = None
    ) -> str:
        if any(network.name == name for network in self.world.networks.values()):
            raise Conflict(f"network with name {name} already exists.")
        made = self.world.digest("network", name, str(self.world.now()))
        self.world.networks[made] = Network(made, name, "bridge", dict(labels))
        memory_life.tell_of_network(self.world, self.world.networks[made], "create")
        return made

    @mutating
    def remove_network(self, name: str) -> None:
        try:
            network = memory_life.network(self.world, name)
        except NotFound:
            return
        if any(network.name in box.addresses for box in self.world.boxes.values()):
            raise Conflict(f"network {name} has active endpoints.")
        del self.world.networks[network.id]
        memory_life.tell_of_network(self.world, network, "destroy")

    @mutating
    def connect(
        self, network: str, container: str, aliases: tuple[str, ...], address: str = ""
    ) -> None:
        box, found = self.world.box(container), memory_life.network(self.world, network)
        if found.name in box.aliases:
            raise Conflict(f"{container} is in network {network} already.")
        box.aliases[found.name] = aliases
        if box.state in ALIVE:
            memory_life.join(self.world, box, found, address)

    @mutating
    def disconnect(self, network: str, container: str) -> None:
        box, found = self.world.box(container), memory_life.network(self.world, network)
        if box.aliases.pop(found.name, None) is None:
            raise NotFound(f"{container} is not in network {network}.")
        if found.name in box.addresses:
            memory_life.leave(self.world, box, found)

    def volumes(self, labels: Mapping[str, str]) -> list[Volume]:
        with self.world.changed:
            volumes = [volume for volume, _files in self.world.volumes.values()]
        return [volume for volume in volumes if labels.items() <= volume.labels.items()]

    def volume(self, name: str) -> Volume | None:
        with self.world.changed:
            volume, _files = self.world.volumes.get(name, (None, None))
        return volume

    @mutating
    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        if name not in self.world.volumes:
            self.world.volumes[name] = (Volume(name, dict(labels)), FileTree())
            self._tell_of_volume(name, "create")

    @mutating
    def remove_volume(self, name: str) -> None:
        for box in self.world.boxes.values():
            if any(m.kind == "volume" and m.source == name for m in box.spec.mounts):
                raise Conflict(f"volume is in use by container {box.spec.name}.")
        if self.world.volumes.pop(name, None):
            self._tell_of_volume(name, "destroy")

    def _tell_of_volume(self, name: str, action: str) -> None:
        self.world.tell(EngineEvent("volume", action, name, name, {}, self.world.now()))
