"""From what was seen of an ended container to the cause of its death. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from jobctl.queue import Cause

_SHELL_BASE = 128
_KILLED = _SHELL_BASE + signal.SIGKILL
# What containerd reports when it was not there to see the end.
_UNSEEN = 255


class Orderer(StrEnum):
    """Who had ordered that the container ends.

    `STOP` is whoever tells it to by SIGTERM and waits: `up`, `scale`, `down`, or a person.
    """

    WATCHDOG = "watchdog"
    SCALE_DOWN = "scale-down"
    CHAOS = "chaos"
    STOP = "stop"


class Death(NamedTuple):
    """Why a container ended, as its jobs are told: a cause, and one clause for a person."""

    cause: Cause
    reason: str


@dataclass(frozen=True)
class Evidence:
    """What was seen.

    `exit_code` is None when nobody can tell any more (the container is gone). `oom_event`: the
    engine said `oom` of it shortly before it ended, by the same event stream; an old one is of
    a job's process that died earlier. `oom_killed` is inspect's flag: sticky, and on cgroup v1
    false as long as the container runs. `signal` was the last one sent through the engine (its
    `kill` event). `worker` is false for everything that runs no jobs.
    """

    exit_code: int | None = None
    oom_event: bool = False
    oom_killed: bool = False
    ordered_by: Orderer | None = None
    signal: int | None = None
    worker: bool = True


_ORDERS = {
    Orderer.WATCHDOG: Death(Cause.WATCHDOG, "restarted by the watchdog"),
    Orderer.SCALE_DOWN: Death(Cause.SCALE_DOWN, "removed to scale down"),
    Orderer.CHAOS: Death(Cause.CHAOS, "ended by a fault drill"),
    # A hand-back like any other; the worker could not make it itself in the time that it got.
    Orderer.STOP: Death(Cause.SCALE_DOWN, "it was told to end"),
}
_OOM = Death(Cause.OOM, "killed by the kernel: it used more memory than its container has")


def cause_of(evidence: Evidence) -> Death:
    """Tell orders, OOM, signals, exits and disappearance apart.

    An order comes first: what the cluster did itself must never use up a retry. Of a worker
    everything that is neither ordered nor OOM is `worker-lost`, its reason says how; for other
    containers the cause is `signal`, `exit` or, without any trace, `node-lost`.
    """
    if evidence.ordered_by is not None:
        return _ORDERS[evidence.ordered_by]
    if _ran_out_of_memory(evidence):
        return _OOM
    cause, reason = _ending(evidence)
    return Death(Cause.WORKER_LOST if evidence.worker else cause, reason)


def _ran_out_of_memory(evidence: Evidence) -> bool:
    # 137 alone proves nothing, and neither does a process that died of it in a container that
    # then ended in another way: with 0, or by another signal.
    code = evidence.exit_code
    if code == _KILLED or code is None:
        # A SIGKILL sent through the engine explains the end better than a sticky flag does.
        return evidence.oom_event or (evidence.oom_killed and evidence.signal is None)
    return evidence.oom_event and 0 < code < _SHELL_BASE


def _ending(evidence: Evidence) -> Death:
    code = evidence.exit_code
    if code is None:
        return Death(Cause.NODE_LOST, "its container is gone")
    if code == _UNSEEN:
        return Death(Cause.NODE_LOST, "ended while the engine did not watch (exit code 255)")
    if signal_name(code - _SHELL_BASE):
        return Death(Cause.SIGNAL, _signalled(code, evidence.signal))
    if evidence.signal is not None:
        sent = signal_name(evidence.signal) or f"signal {evidence.signal}"
        return Death(Cause.SIGNAL, f"ended with exit code {code} after {sent} through the engine")
    return Death(Cause.EXIT, f"its main process ended with exit code {code}")


def _signalled(code: int, sent: int | None) -> str:
    name = signal_name(code - _SHELL_BASE)
    if code - _SHELL_BASE == sent:
        return f"ended by {name} through the engine, not by the cluster"
    if code == _KILLED:
        return f"killed by {name} from outside"
    return f"ended by {name} (exit code {code})"


def signal_name(number: int) -> str:
    """SIGSEGV for 11; "" for what is no signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""
