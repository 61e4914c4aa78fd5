"""The faults as data: what each does, how it is undone, and what to expect of the cluster. Pure.

`jobctl chaos list`, the commands' options and docs/chaos.md are made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jobctl.chaos.fault import FaultKind, Param

Part = Literal["worker", "master", "redis", "controller", "service"]
EVERY: tuple[Part, ...] = ("worker", "master", "redis", "controller", "service")
WORKER: tuple[Part, ...] = ("worker",)


@dataclass(frozen=True)
class Setting:
    """A parameter of a fault: its name (an option of the command), its default, what it means.

    ``choices`` are all that it can be, () when it is a number or a text. ``span`` is between what
    a number lies that is drawn at random; None: it is not, the default will do.
    """

    name: str
    default: Param | None
    text: str
    choices: tuple[str, ...] = ()
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class Entry:
    """One fault.

    ``parts`` is what it can be done to, the first of them without a target; () when it is done to
    no container. ``seconds`` is how long it lasts unless told; None when it is over at once.
    ``lasts`` says whether it can last at all.
    """

    kind: FaultKind
    does: str
    undone: str
    expect: str
    parts: tuple[Part, ...]
    seconds: float | None = None
    lasts: bool = True
    settings: tuple[Setting, ...] = ()


_STAYS_DOWN = (
    "The controller brings it back at once (without one: `jobctl up`). With `--for` it stays down "
    "until then, and is started."
)
_REDIS_AWAY = (
    "Submits wait or are refused; running jobs run on, and what they came to is told when Redis "
    "is back. No acknowledged job is lost."
)

_ENTRIES = (
    Entry(
        FaultKind.KILL_WORKER,
        "SIGKILL to a worker's main process, through the engine.",
        _STAYS_DOWN,
        "Its jobs run elsewhere at once, each with one crash more; what it had not begun costs "
        "nothing.",
        WORKER,
    ),
    Entry(
        FaultKind.CRASH_WORKER,
        "SIGKILL to every process inside a worker's container, as a crash of its own would.",
        "The engine's restart policy starts it again at once.",
        "As kill-worker; the worker is back before its jobs' leases end.",
        WORKER,
        lasts=False,
    ),
    Entry(
        FaultKind.STOP_WORKER,
        "SIGTERM to a worker, and SIGKILL when its grace is over.",
        "The controller starts it again after three seconds (without one: `jobctl up`). With "
        "`--for` it stays down until then, and is started.",
        "It claims no more; running jobs get their grace, then they are handed back, which costs "
        "them nothing.",
        WORKER,
        settings=(Setting("grace", 15.0, "Seconds until SIGKILL."),),
    ),
    Entry(
        FaultKind.PAUSE_WORKER,
        "All processes of a worker freeze.",
        "They thaw.",
        "Its leases are extended until `controller.patience` is over; then its jobs run elsewhere, "
        "and the fence refuses what it writes when it thaws.",
        WORKER,
        seconds=20.0,
    ),
    Entry(
        FaultKind.KILL_MASTER,
        "SIGKILL to the master.",
        _STAYS_DOWN,
        "Requests fail until it is back; clients repeat them. Jobs run on: workers talk to Redis.",
        ("master",),
    ),
    Entry(
        FaultKind.KILL_REDIS,
        "SIGKILL to Redis.",
        _STAYS_DOWN,
        _REDIS_AWAY + " With `durability: fast` up to a second may be lost.",
        ("redis",),
    ),
    Entry(
        FaultKind.RESTART_REDIS,
        "Redis is told to end, and is started again.",
        "By itself.",
        _REDIS_AWAY + " All leases get their full time anew.",
        ("redis",),
        lasts=False,
    ),
    Entry(
        FaultKind.PAUSE_REDIS,
        "All processes of Redis freeze: connections stay open, and nothing answers.",
        "They thaw.",
        _REDIS_AWAY + " The watchdog leaves it alone.",
        ("redis",),
        seconds=10.0,
    ),
    Entry(
        FaultKind.PARTITION,
        "A container is cut off: from all (it leaves the cluster's network), or with `--from` from "
        "Redis or the master alone (rules in its network namespace drop their packets).",
        "It comes back into the network under the names and, where the engine can give it, with "
        "the address it had; the rules are removed.",
        "A worker that is cut off loses its leases: its jobs run elsewhere, and the fence refuses "
        "what it writes when it is back.",
        EVERY,
        seconds=20.0,
        settings=(Setting("from", "all", "What it is cut off from.", ("all", "redis", "master")),),
    ),
    Entry(
        FaultKind.SLOW_CPU,
        "A container's processor cap is lowered.",
        "The cap is what it was.",
        "Everything in it takes longer; no lease is lost as long as its supervisor gets a turn "
        "within `controller.patience`.",
        EVERY,
        seconds=30.0,
        settings=(Setting("cpus", 0.05, "The cap, in cores.", span=(0.03, 0.2)),),
    ),
    Entry(
        FaultKind.MEMORY_PRESSURE,
        "A container's memory cap is lowered to what it uses now, and a little room.",
        "The cap is what it was.",
        "What grows in it is killed by the kernel: a job first, which fails with the cause `oom`.",
        EVERY,
        seconds=30.0,
        settings=(Setting("room", 8.0, "The room that is left, in MiB."),),
    ),
    Entry(
        FaultKind.OOM,
        "A process inside a container takes memory until the kernel kills the container's main "
        "process.",
        "The engine's restart policy starts it again.",
        "Its jobs run elsewhere with the cause `oom`, each with one crash more.",
        ("worker", "master", "redis", "service"),
        lasts=False,
    ),
    Entry(
        FaultKind.DISK_FULL,
        "The volume of logs and outputs is filled to its last byte. Only where that volume has a "
        "size of its own: never the disk of the engine's host.",
        "What filled it is removed.",
        "No job fails or hangs for it; logs and outputs written meanwhile are cut short.",
        (),
        seconds=30.0,
    ),
    Entry(
        FaultKind.REDIS_FULL,
        "Redis' maxmemory is lowered to what it uses: writes that need memory are refused.",
        "maxmemory is what it was.",
        "Submits are refused with a clear error; jobs that run are finished, and what waits goes "
        "on when there is room again.",
        ("redis",),
        seconds=10.0,
    ),
    Entry(
        FaultKind.WRONG_CLOCK,
        "A worker is made anew with a clock that is wrong (libfaketime): jobs it held run "
        "elsewhere.",
        "It is made anew as it was.",
        "Nothing is decided by it: time is Redis' time. Only what it prints, and when its attempts "
        "are said to have begun, bears wrong times.",
        WORKER,
        seconds=30.0,
        settings=(
            Setting(
                "offset",
                3600.0,
                "How many seconds it is ahead (below 0: behind).",
                span=(-86400.0, 86400.0),
            ),
        ),
    ),
    Entry(
        FaultKind.CUT_CONNECTION,
        "A container's connections to Redis go through a proxy that breaks them: before the reply "
        "to a request gets through (it was carried out), or after it.",
        "The proxy and the rule that leads to it are removed; connections are made anew.",
        "Every call is repeated and takes effect once.",
        ("worker", "master"),
        seconds=20.0,
        settings=(
            Setting("when", "before", "When it is cut.", ("before", "after")),
            Setting("every", 20.0, "Every how many replies.", span=(5.0, 40.0)),
        ),
    ),
    Entry(
        FaultKind.KILL_CONTROLLER,
        "SIGKILL to every process inside a controller's container; with `--for` to the container.",
        "The engine's restart policy starts it again at once; with `--for` it stays down until "
        "then, and is started.",
        "Nothing stops. Deaths meanwhile are found when it is back, or by the second one.",
        ("controller",),
    ),
    Entry(
        FaultKind.REMOVE_CONTAINER,
        "A container is killed and removed.",
        "The controller makes it anew at once (without one: `jobctl up`). With `--for` it stays "
        "away until then, and is made anew.",
        "As if it were killed: what must last is on volumes.",
        EVERY,
    ),
    Entry(
        FaultKind.RESTART_ENGINE,
        "The engine itself is restarted, by the command that you give: it ends all containers.",
        "By itself.",
        "The controllers come back with the engine, and start what is missing. No acknowledged "
        "job is lost.",
        (),
        lasts=False,
        settings=(Setting("command", None, "What restarts the engine; run here by a shell."),),
    ),
    Entry(
        FaultKind.KILL_COMMAND,
        "`jobctl up` or `jobctl scale` is begun and killed half-way.",
        "The next one, and the controller, go on from where it ended.",
        "The cluster is as it was, or as the command wanted it.",
        (),
        lasts=False,
        settings=(
            Setting("command", "up", "What is begun, such as 'scale default=5'."),
            Setting("after", 1.0, "After how many seconds it is killed.", span=(0.1, 2.0)),
        ),
    ),
)

CATALOGUE: Mapping[FaultKind, Entry] = {entry.kind: entry for entry in _ENTRIES}
