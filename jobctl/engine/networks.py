"""The networks and volumes of the Engine protocol over Docker."""

import random
import time
from collections.abc import Mapping
from typing import Any

from jobctl.engine import translate
from jobctl.engine.docker import Docker, by_label
from jobctl.engine.errors import Conflict, NotFound
from jobctl.engine.model import Network, Volume

TWIN_PAUSE = 0.05
"""Up to how long one who withdrew his network waits before he looks again, in seconds."""


class DockerNetworks:
    """Network and volume calls."""

    _docker: Docker

    def networks(self, labels: Mapping[str, str]) -> list[Network]:
        """List networks by label."""
        with self._docker.doing("list networks"):
            rows = self._docker.api.networks(filters=by_label(labels))
        return [translate.network(row) for row in rows]

    def create_network(
        self, name: str, labels: Mapping[str, str], subnet: str | None = None
    ) -> str:
        """Create a bridge network; Conflict when the name is taken, even a moment ago."""
        while True:
            made = self._created(name, labels, subnet)
            twins = self._ids(name) - {made}
            if not twins:
                return made
            # The engine's own check lets simultaneous creates through, and says nothing of their
            # order. Of two that meet, the one seen later sees both: whoever sees a twin withdraws,
            # so that none is taken away once its creator has been told that it is there.
            self.remove_network(made)
            time.sleep(random.uniform(0, TWIN_PAUSE))  # noqa: S311 - to part the two, no secret
            if self._ids(name):
                raise Conflict(f"Could not create network {name}: somebody else just created it.")

    def _created(self, name: str, labels: Mapping[str, str], subnet: str | None) -> str:
        ipam: Any = {"Driver": "default", "Config": [{"Subnet": subnet}]} if subnet else None
        with self._docker.doing(f"create network {name}"):
            return str(
                self._docker.api.create_network(
                    name,
                    driver="bridge",
                    ipam=ipam,
                    check_duplicate=True,  # 20.10 otherwise makes a second one of that name
                    labels=dict(labels),
                )["Id"]
            )

    def _ids(self, name: str) -> set[str]:
        with self._docker.doing(f"look for networks named {name}"):
            rows = self._docker.api.networks(filters={"name": name})  # matches substrings as well
        return {str(row["Id"]) for row in rows if row["Name"] == name}

    def remove_network(self, name: str) -> None:
        """Remove a network by name or id; success when it is already gone."""
        try:
            with self._docker.doing(f"remove network {name}"):
                self._docker.api.remove_network(name)
        except NotFound:
            return

    def connect(
        self, network: str, container: str, aliases: tuple[str, ...], address: str = ""
    ) -> None:
        """Connect a container; the engine forgets the aliases it had there before."""
        with self._docker.doing(f"connect {container} to network {network}"):
            self._docker.api.connect_container_to_network(
                container, network, aliases=list(aliases), ipv4_address=address or None
            )

    def disconnect(self, network: str, container: str) -> None:
        """Disconnect a container from a network."""
        with self._docker.doing(f"disconnect {container} from network {network}"):
            self._docker.api.disconnect_container_from_network(container, network)

    def volumes(self, labels: Mapping[str, str]) -> list[Volume]:
        """List volumes by label."""
        with self._docker.doing("list volumes"):
            rows = self._docker.api.volumes(filters=by_label(labels))["Volumes"]
        return [translate.volume(row) for row in rows or ()]

    def volume(self, name: str) -> Volume | None:
        """Look up one volume by its exact name."""
        try:
            with self._docker.doing(f"inspect volume {name}"):
                return translate.volume(self._docker.api.inspect_volume(name))
        except NotFound:
            return None

    def create_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a named volume; the engine leaves an existing one, and its labels, as it is."""
        with self._docker.doing(f"create volume {name}"):
            self._docker.api.create_volume(name, labels=dict(labels))

    def remove_volume(self, name: str) -> None:
        """Remove a volume; success when it is already gone, Conflict while a container has it."""
        try:
            with self._docker.doing(f"remove volume {name}"):
                self._docker.api.remove_volume(name)
        except NotFound:
            return
