"""What faults need of the in-memory engine: the programs they run, and the world as a value."""

import random
import tarfile
from dataclasses import replace
from typing import Any

from jobctl.chaos.fault import Allowed, Fault, Instant, LiveFault
from jobctl.chaos.inject import inject, live_faults
from jobctl.chaos.live import live_in
from jobctl.engine.model import Executed
from tests.support.cluster_in_memory import PROJECT, ClusterInMemory
from tests.support.memory_world import ALIVE


def with_programs(demo: ClusterInMemory) -> None:
    """Let containers run what faults run in them."""
    world = demo.world

    def rm(_name: str, argv: tuple[str, ...]) -> Executed:
        _, tree = world.volumes[f"{PROJECT}-control"]
        for path in argv[2:]:
            tree.entries.pop(path.removeprefix("/jobctl/control"), None)
        return Executed(0, b"")

    def shell(name: str, argv: tuple[str, ...]) -> Executed:
        words = argv[4:]
        if argv[1].endswith("rules.sh"):
            change_rules(world.boxes[name].spec.network, argv[2], argv[3])
        elif "/.fault-" in argv[-1]:
            _, tree = world.volumes[f"{PROJECT}-jobs"]
            path = "/" + argv[-1].partition("/.")[2].join(("/.", "")).split()[0].strip("/;")
            if argv[-1].startswith("rm "):
                tree.entries.pop(path, None)
            else:
                tree.entries[path] = (tarfile.TarInfo(path), b"0")
        elif "kill -9 -1" in argv[-1]:
            world.crash(name)
        elif words == ("CONFIG", "GET", "maxmemory"):
            return Executed(0, b"maxmemory\n%d\n" % redis_of(demo)["maxmemory"])
        elif words[:1] == ("INFO",):
            return Executed(0, b"# Memory\r\nused_memory:1000\r\nused_memory_human:1K\r\n")
        elif words[:1] == ("CONFIG",):
            redis_of(demo)["maxmemory"] = int(words[-1])
            return Executed(0, b"OK\n")
        return Executed(0, b"")

    def change_rules(network: str, what: str, chain: str) -> None:
        box = world.box(network.partition(":")[2])
        kept = rules_of(demo).setdefault(f"{box.spec.name}@{box.started_at}", [])
        if what == "clean":
            kept[:] = [each for each in kept if each != chain]
        else:
            kept.append(chain)

    def started(name: str) -> None:
        if name.endswith("-proxy"):
            world.write_log(name, b"ready\n")

    world.on_start = started
    world.programs |= {"rm": rm, "sh": shell}


def rules_of(demo: ClusterInMemory) -> dict[str, list[str]]:
    """Return the packet rules by network namespace; they go with it."""
    kept: dict[str, list[str]] = vars(demo).setdefault("rules", {})
    return kept


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
    boxes = demo.world.boxes.values()
    alive = {f"{box.spec.name}@{box.started_at}" for box in boxes if box.state in ALIVE}
    found["rules"] = {name: kept for name, kept in rules_of(demo).items() if kept and name in alive}
    _, jobs = demo.world.volumes[f"{PROJECT}-jobs"]
    found["jobs"] = sorted(name for name, (info, _) in jobs.entries.items() if info.isfile())
    files = {name: data for name, (info, data) in control.entries.items() if info.isfile()}
    found["files"] = sorted(name for name in files if "/faults/" not in name)
    found["live"] = live_in(files)
    return found


def give_logs_a_size(demo: ClusterInMemory) -> None:
    """Let the volume of logs be one with a size of its own."""
    volume, tree = demo.world.volumes[f"{PROJECT}-jobs"]
    options = {"type": "tmpfs", "device": "tmpfs", "o": "mode=0751,size=64m"}
    demo.world.volumes[f"{PROJECT}-jobs"] = (replace(volume, options=options), tree)


WIDE = Allowed(at_once=9, share=1.0, seconds=3600)


def brought_up(demo: ClusterInMemory) -> ClusterInMemory:
    """Bring the cluster up, with all that faults need."""
    with_programs(demo)
    demo.up()
    give_logs_a_size(demo)
    return demo


def make_fault(
    demo: ClusterInMemory, fault: Fault, allowed: Allowed = WIDE, seed: int = 1
) -> LiveFault | Instant:
    rng = random.Random(seed)
    return inject(demo.engine, PROJECT, fault, rng=rng, allowed=allowed, clock=lambda: 1000.0)


def alive(demo: ClusterInMemory) -> list[str]:
    return [live.kind for live in live_faults(demo.engine, PROJECT)]
