"""What the controller says of workers whose containers it sees, and of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import codec
from ..call import Arg, Call
from ..fleet import Gauges
from ..ids import new_id
from ..spec import JobSpec, own_queue
from ..status import Cause
from ..submission import submission
from .shapes import nothing


def release(incarnation: str, cause: Cause, reason: str) -> Call[int]:
    """Take a dead worker's jobs back; how many."""
    return Call("release", (incarnation, cause, codec.reason_text(reason)), int)


def release_container(container: str, before_ms: int, cause: Cause, reason: str) -> Call[int]:
    """Take back the jobs of a container's workers that registered until then; how many."""
    args = (container, before_ms, cause, codec.reason_text(reason))
    return Call("release_container", args, int)


def set_aside(container: str, since_ms: int) -> Call[int]:
    """Hand nothing to a container's workers, and take back what they cannot have read; how many."""
    return Call("set_aside", (container, since_ms), int)


def extend_lease(incarnation: str, until_ms: int) -> Call[bool]:
    """Let a worker's lease end no sooner than this; whether the worker is known."""
    return Call("extend_lease", (incarnation, until_ms), bool)


def guard(holder: str, seconds: float) -> Call[bool]:
    """Have the guard for so long, or renew it; False if another has it."""
    return Call("guard", (holder, max(1, round(seconds * 1000))), bool)


def drop_guard(holder: str) -> Call[None]:
    """Let another have the guard at once."""
    return Call("drop_guard", (holder,), nothing)


CANARY = "jobctl:canary"
"""The function of a canary: an executor's own, which nothing of the user's can hide."""


def canary(worker: str, timeout: float) -> Call[str]:
    """Submit a small job to a worker's own queue; its id."""
    spec = JobSpec(id=new_id(), function=CANARY, name="canary", timeout=timeout)
    words = submission(spec)
    words[1] = own_queue(worker)
    return Call("canary", (worker, *words), str)


def gauges(measured: Mapping[str, Gauges]) -> Call[None]:
    """Write what was measured of the workers, by name; others have no gauges any more."""
    args: list[Arg] = []
    for worker, found in measured.items():
        numbers = (found.cpu_seconds, found.memory_bytes, found.throttled_seconds)
        args += (worker, " ".join(map(codec.number, numbers)))
    return Call("gauges", tuple(args), nothing)


def read_gauges() -> Call[dict[str, Gauges]]:
    """What was last measured, by worker."""

    def decode(reply: Any) -> dict[str, Gauges]:
        return {worker: _gauges(text) for worker, text in codec.pairs(reply).items()}

    return Call("read_gauges", (), decode)


def _gauges(text: str) -> Gauges:
    cpu, memory, throttled = text.split()
    return Gauges(float(cpu), int(memory), float(throttled))
