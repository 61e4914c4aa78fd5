"""What the parts of cluster.yaml must agree on: names, ports, who waits for whom.

Each function raises ConflictsError with everything it found; places start at the top of the file.
"""

from collections.abc import Mapping

from jobctl.config.mounts import holds
from jobctl.config.order import in_order
from jobctl.config.pools import Pool
from jobctl.config.services import Service
from jobctl.config.suggest import closest
from jobctl.config.types import Conflict, ConflictsError
from jobctl.config.watchdog import Watchdog

PARTS = ("redis", "master", "controller", "worker")
"""The parts of the cluster itself, as the network and `jobctl ps` name them."""

_TAKEN = (*PARTS[:3], "seed", "localhost")
_AWAITED = PARTS[:2]


def check_services(services: Mapping[str, Service], master_port: int | None) -> None:
    """Hold services against each other and against the cluster's own parts."""
    _raise(
        [
            *_taken_names(services),
            *_taken_ports(services, master_port),
            *_bad_dependencies(services),
        ]
    )


def check_watched(
    watchdog: Watchdog, services: Mapping[str, Service], workers: Mapping[str, Pool]
) -> None:
    """Hold what is said about the watching of single services against those there are."""
    pools = [f"worker-{name}" for name in workers if name != "default"]
    known = [*PARTS, *pools, *services]
    found = []
    for name, watch in watchdog.services.items():
        place = ("watchdog", "services", name)
        if name not in known:
            text = f"there is no service {name!r}; there is {', '.join(known)}"
            found.append(Conflict(place, text, closest(name, known)))
        elif watch.check and name not in services:
            text = "is for services of your own: this one has its checks built in"
            found.append(Conflict((*place, "check"), text))
    _raise(found)


def check_sockets(
    socket: str | None, services: Mapping[str, Service], workers: Mapping[str, Pool]
) -> None:
    """Keep the engine's socket, where the file names it, out of everybody's mounts."""
    if socket is None:
        return
    text = f"would hand out the engine's socket ({socket}), and so the host"
    parts: dict[str, Mapping[str, Pool | Service]] = {"workers": workers, "services": services}
    folders = {
        (part, name, "mounts", index, "host"): mount.host
        for part, owners in parts.items()
        for name, owner in owners.items()
        for index, mount in enumerate(owner.mounts)
    }
    _raise([Conflict(place, text) for place, host in folders.items() if holds(host, socket)])


def _taken_names(services: Mapping[str, Service]) -> list[Conflict]:
    text = "is the name of a part of the cluster; take another one"
    taken = [name for name in services if name in _TAKEN or name.startswith("worker")]
    return [Conflict(("services", name), text) for name in taken]


def _taken_ports(services: Mapping[str, Service], master_port: int | None) -> list[Conflict]:
    owners = {master_port: "the master"}
    found = []
    for name, service in services.items():
        for index, (host, _) in enumerate(service.ports):
            owner = owners.setdefault(host, name)
            if owner != name:
                text = f"publishes port {host} of the host, which {owner} has already"
                found.append(Conflict(("services", name, "ports", index), text))
    return found


def _bad_dependencies(services: Mapping[str, Service]) -> list[Conflict]:
    known = list(dict.fromkeys((*_AWAITED, *services)))
    found = []
    for name, service in services.items():
        for other, state in service.depends_on.items():
            place = ("services", name, "depends_on", other)
            if other not in known:
                others = ", ".join(one for one in known if one != name)
                text = f"there is no service {other!r}; it can wait for {others}"
                found.append(Conflict(place, text, closest(other, known)))
            elif state == "healthy" and other in services and services[other].health is None:
                text = f"can never be: {other} has no `health`; add it there, or wait for `started`"
                found.append(Conflict(place, text))
    waits = {name: tuple(service.depends_on) for name, service in services.items()}
    for circle in in_order(waits)[1]:
        place = ("services", circle[0], "depends_on", circle[1])
        around = f"waits in a circle: {' -> '.join(circle)}"
        text = "a service cannot wait for itself" if len(circle) == 2 else around
        found.append(Conflict(place, text))
    return found


def _raise(found: list[Conflict]) -> None:
    if found:
        raise ConflictsError(found)
