"""What bounds the autoscaler: the owner's wishes and the host's room. Durations are seconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the owner of a pool asks for; exactly one of the two targets is set.

    `slots` is how many jobs a worker runs at once, a step of 0 has no cap. Raises ValueError.
    """

    minimum: int
    maximum: int
    slots: int = 1
    target_backlog_per_worker: float | None = None
    target_wait: float | None = None
    up_cooldown: float = 5.0
    down_cooldown: float = 60.0
    step_up: int = 0
    step_down: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum or self.maximum < 1:
            raise ValueError("autoscale needs 0 <= min <= max and max >= 1")
        targets = [t for t in (self.target_backlog_per_worker, self.target_wait) if t is not None]
        if len(targets) != 1 or targets[0] <= 0:
            raise ValueError("autoscale needs one target above 0: a backlog per worker or a wait")
        if self.slots < 1 or min(self.up_cooldown, self.down_cooldown) < 0:
            raise ValueError("autoscale needs slots >= 1 and cooldowns >= 0")
        if min(self.step_up, self.step_down) < 0:
            raise ValueError("autoscale needs steps >= 0")


@dataclass(frozen=True)
class Room:
    """How many workers more the host could take, by what it has left of each resource."""

    cpus: float = inf
    memory: float = inf

    @property
    def more(self) -> float:
        """Workers, a whole number or `inf`."""
        least = max(0.0, min(self.cpus, self.memory))
        return least if least == inf else float(int(least))

    @property
    def scarce(self) -> str:
        """Which resource there is less of."""
        return "memory" if self.memory <= self.cpus else "CPU"
