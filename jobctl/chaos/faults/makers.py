"""Which maker makes which kind of fault."""

from __future__ import annotations

from collections.abc import Mapping

from jobctl.chaos.fault import FaultKind
from jobctl.chaos.faults import clock, cuts, ends, fills, outside, slows
from jobctl.chaos.faults.maker import Maker

MAKERS: Mapping[FaultKind, Maker] = {
    FaultKind.KILL_WORKER: ends.KILL,
    FaultKind.CRASH_WORKER: ends.CRASH,
    FaultKind.STOP_WORKER: ends.STOP,
    FaultKind.PAUSE_WORKER: slows.FREEZE,
    FaultKind.KILL_MASTER: ends.KILL,
    FaultKind.KILL_REDIS: ends.KILL,
    FaultKind.RESTART_REDIS: ends.RESTART,
    FaultKind.PAUSE_REDIS: slows.FREEZE,
    FaultKind.PARTITION: cuts.PARTITION,
    FaultKind.SLOW_CPU: slows.SLOW_CPU,
    FaultKind.MEMORY_PRESSURE: slows.MEMORY_PRESSURE,
    FaultKind.OOM: ends.OOM,
    FaultKind.DISK_FULL: fills.DISK_FULL,
    FaultKind.REDIS_FULL: fills.REDIS_FULL,
    FaultKind.WRONG_CLOCK: clock.WRONG_CLOCK,
    FaultKind.CUT_CONNECTION: cuts.CUT_CONNECTION,
    FaultKind.KILL_CONTROLLER: ends.CRASH_OR_KILL,
    FaultKind.REMOVE_CONTAINER: ends.REMOVE,
    FaultKind.RESTART_ENGINE: outside.RESTART_ENGINE,
    FaultKind.KILL_COMMAND: outside.KILL_COMMAND,
}
