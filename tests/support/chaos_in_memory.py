"""What faults need of the in-memory engine: the programs they run, and the world as a value."""

from typing import Any

from jobctl.engine.model import Executed
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory


def with_programs(demo: ClusterInMemory) -> None:
    """Let containers run what faults run in them."""
    world = demo.world

    def rm(_name: str, argv: tuple[str, ...]) -> Executed:
        _, tree = world.volumes[f"{PROJECT}-control"]
        tree.entries.pop(argv[-1].removeprefix("/jobctl/control"), None)
        return Executed(0, b"")

    def shell(name: str, argv: tuple[str, ...]) -> Executed:
        words = argv[4:]
        if "kill -9 -1" in argv[-1]:
            world.crash(name)
        elif words == ("CONFIG", "GET", "maxmemory"):
            return Executed(0, b"maxmemory\n%d\n" % redis_of(demo)["maxmemory"])
        elif words[:1] == ("INFO",):
            return Executed(0, b"# Memory\r\nused_memory:1000\r\nused_memory_human:1K\r\n")
        elif words[:1] == ("CONFIG",):
            redis_of(demo)["maxmemory"] = int(words[-1])
            return Executed(0, b"OK\n")
        return Executed(0, b"")

    world.programs |= {"rm": rm, "sh": shell}


def redis_of(demo: ClusterInMemory) -> dict[str, int]:
    """Return the settings of the Redis that runs; another process has those of its start."""
    box = demo.world.boxes[f"{PROJECT}-redis-1"]
    kept: dict[str, dict[str, int]] = vars(demo).setdefault("redis_settings", {})
    return kept.setdefault(f"{box.id}@{box.started_at}", {"maxmemory": 5000})


def whole(demo: ClusterInMemory) -> dict[str, Any]:
    """Return all that a fault could leave behind, by container; and the recorded faults.

    Addresses are left out of it: the engine gives a container another one when it starts.
    """
    found: dict[str, Any] = {
        name: (
            box.state,
            {network: set(aliases) for network, aliases in box.aliases.items()},
            set(box.addresses),
            box.spec.cpus,
            box.spec.memory,
            dict(box.spec.labels),
            dict(box.spec.env),
        )
        for name, box in demo.world.boxes.items()
    }
    _, control = demo.world.volumes[f"{PROJECT}-control"]
    found["redis"] = dict(redis_of(demo))
    found["files"] = sorted(name for name, (info, _) in control.entries.items() if info.isfile())
    return found
