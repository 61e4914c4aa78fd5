"""Networks and volumes of the in-memory engine."""

from collections.abc import Mapping

from jobctl.engine.errors import Conflict, NotFound
from jobctl.engine.model import Network, Volume
from tests.support.memory_files import FileTree
from tests.support.memory_world import ALIVE, Box, World, mutating


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
        return made

    @mutating
    def remove_network(self, name: str) -> None:
        try:
            network = self._network(name)
        except NotFound:
            return
        if any(network.name in box.addresses for box in self.world.boxes.values()):
            raise Conflict(f"network {name} has active endpoints.")
        del self.world.networks[network.id]

    @mutating
    def connect(
        self, network: str, container: str, aliases: tuple[str, ...], address: str = ""
    ) -> None:
        box, found = self.world.box(container), self._network(network)
        if found.name in box.aliases:
            raise Conflict(f"{container} is in network {network} already.")
        box.aliases[found.name] = aliases
        if box.state in ALIVE:
            box.addresses[found.name] = address or self.free_address(found.name)

    @mutating
    def disconnect(self, network: str, container: str) -> None:
        box, found = self.world.box(container), self._network(network)
        if box.aliases.pop(found.name, None) is None:
            raise NotFound(f"{container} is not in network {network}.")
        box.addresses.pop(found.name, None)

    def join(self, box: Box) -> None:
        """Give a container that starts its addresses."""
        for name in box.aliases:
            self._network(name)
            box.addresses[name] = self.free_address(name)

    def free_address(self, network: str) -> str:
        subnet = [n.name for n in self.world.networks.values()].index(network)
        taken = {box.addresses.get(network) for box in self.world.boxes.values()}
        return next(
            address for host in range(2, 255) if (address := f"10.0.{subnet}.{host}") not in taken
        )

    def _network(self, name: str) -> Network:
        for network in self.world.networks.values():
            if name in {network.name, network.id}:
                return network
        raise NotFound(f"network {name} not found.")

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
        self.world.volumes.setdefault(name, (Volume(name, dict(labels)), FileTree()))

    @mutating
    def remove_volume(self, name: str) -> None:
        for box in self.world.boxes.values():
            if any(m.kind == "volume" and m.source == name for m in box.spec.mounts):
                raise Conflict(f"volume is in use by container {box.spec.name}.")
        self.world.volumes.pop(name, None)
