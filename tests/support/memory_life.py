"""How the in-memory engine's containers start, die and come back, and what is told of it."""

from typing import TYPE_CHECKING, Any

from jobctl.engine.errors import NotFound, PortTaken
from jobctl.engine.model import EngineEvent, Health, Network

if TYPE_CHECKING:
    from tests.support.memory_world import Box, World


def begin(world: "World", box: "Box") -> None:
    """Start the main program; PortTaken and NotFound (its network) leave it as it is."""
    _bind_ports(world, box)
    for name in box.aliases.keys() - {"none"}:
        join(world, box, network(world, name))
    box.state, box.started_at, box.exit_code = "running", world.now(), 0
    box.health = "starting" if box.spec.health else "none"
    tell(world, box, "start")
    if box.spec.health:
        set_health(world, box, "healthy")
    argv = box.spec.command
    if argv and argv[0] in world.programs:
        ended = world.programs[argv[0]](box.spec.name, argv)
        box.log.append((world.now(), ended.output))
        end(world, box, ended.exit_code)
    if argv[:1] == ("python3",) and "-c" in argv:
        _try_sockets(world, box)
    world.on_start(box.spec.name)


def _try_sockets(world: "World", box: "Box") -> None:
    """Run the script that tries sockets: it prints the group of one, and whose it is."""
    groups = [world.sockets.get(mount.source) for mount in box.spec.mounts]
    found = next((group for group in groups if group is not None), None)
    box.log.append((world.now(), b"refused" if found is None else b"%d memory\n" % found))
    end(world, box, 1 if found is None else 0)


def end(world: "World", box: "Box", exit_code: int, *, oom: bool = False) -> None:
    """End the main program; the container stays where it is then."""
    if oom:
        tell(world, box, "oom")
    box.state, box.finished_at = "exited", world.now()
    box.exit_code, box.oom_killed = exit_code, oom
    tell(world, box, "die", exit_code=exit_code)
    for name in list(box.addresses):
        leave(world, box, network(world, name))
    world.changed.notify_all()


def crash(world: "World", box: "Box", exit_code: int, *, oom: bool) -> None:
    """End the main program from inside: what the restart policy is for."""
    end(world, box, exit_code, oom=oom)
    if box.spec.restart != "no":
        box.state = "restarting"
        if not world.holds_restarts:
            come_back(world, box)


def come_back(world: "World", box: "Box") -> None:
    """Let the restart policy do what it has waited to do."""
    box.restart_count += 1
    begin(world, box)


def set_health(world: "World", box: "Box", health: Health) -> None:
    """Let a health check come to a result."""
    if box.health != health:
        box.health = health
        tell(world, box, "health_status", detail=health)


def join(world: "World", box: "Box", joined: Network, address: str = "") -> None:
    """Give a container an address in a network."""
    box.addresses[joined.name] = address or _free_address(world, joined.name)
    tell_of_network(world, joined, "connect", box.id)


def leave(world: "World", box: "Box", left: Network) -> None:
    """Take a container's address in a network away."""
    del box.addresses[left.name]
    tell_of_network(world, left, "disconnect", box.id)


def network(world: "World", name: str) -> Network:
    """Look a network up by name or id; NotFound."""
    for found in world.networks.values():
        if name in {found.name, found.id}:
            return found
    raise NotFound(f"network {name} not found.")


def tell(world: "World", box: "Box", action: str, **more: Any) -> None:
    """Tell what happened to a container."""
    labels = dict(box.spec.labels)
    world.tell(EngineEvent("container", action, box.id, box.spec.name, labels, world.now(), **more))


def tell_of_network(world: "World", about: Network, action: str, detail: str = "") -> None:
    """Tell what happened to a network; as the real engine, without its labels."""
    world.tell(EngineEvent("network", action, about.id, about.name, {}, world.now(), detail=detail))


def _bind_ports(world: "World", box: "Box") -> None:
    taken = set(world.foreign_ports)
    for other in world.boxes.values():
        if other.state in {"running", "paused"}:
            taken |= {port.host_port for port in other.spec.ports}
    for port in box.spec.ports:
        if port.host_port in taken:
            raise PortTaken(f"Port {port.host_port} is in use.", "ss -ltnp", port.host_port)


def _free_address(world: "World", name: str) -> str:
    subnet = [found.name for found in world.networks.values()].index(name)
    taken = {box.addresses.get(name) for box in world.boxes.values()}
    return next(
        address for host in range(2, 255) if (address := f"10.0.{subnet}.{host}") not in taken
    )
