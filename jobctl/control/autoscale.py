"""How many workers a pool should have. Pure: `decide` is given all it knows, the instant included.

The need (`autoscale_need.py`) becomes a number of workers in three steps. Up: as soon as the need
exceeds what is wanted. Down: to the highest need of the last `down_cooldown` and a band above it,
so noise does not move it. Both within the pool's bounds, its cooldowns and steps and, upwards,
within what the host has left. Durations and instants are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil, inf

from jobctl.control.autoscale_load import GAP, Load, Sample, measure
from jobctl.control.autoscale_need import need
from jobctl.control.autoscale_policy import Policy, Room

# A pool shrinks only when it would fit with this much to spare.
_BAND = 0.1
# Keeps 3.0000000000000004 workers from becoming four.
_ROUNDING = 1e-9


class Limit(StrEnum):
    """What kept a decision from being all that the load asks for."""

    MINIMUM = "min"
    MAXIMUM = "max"
    HOST = "host"
    UP_COOLDOWN = "up_cooldown"
    DOWN_COOLDOWN = "down_cooldown"
    STEP = "step"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`replicas` is wanted; of what is too many, `idle_now` idle workers may go at once.

    The rest of what is too many goes as it becomes idle: a drain, never a cut.
    """

    replicas: int
    idle_now: int
    reason: str
    blocked_by: Limit | None = None


@dataclass(frozen=True)
class State:
    """What one decision leaves to the next. `clock` only goes forward, whatever `now` does."""

    wanted: int
    load: Load = field(default_factory=Load)
    clock: float = 0.0
    raised_at: float = -inf
    changed_at: float = -inf
    needs: tuple[tuple[float, float], ...] = ()
    """(clock, need) of the window that a decrease looks back on; only those not yet exceeded."""


def decide(policy: Policy, state: State, sample: Sample, room: Room) -> tuple[State, Decision]:
    """Return the state for the next sample, and how many workers the pool should have now."""
    passed = sample.since(state.load.before)
    load = measure(state.load, sample)
    wanted = min(max(state.wanted, policy.minimum), policy.maximum)
    needed = need(policy, load, sample, wanted)
    clock = state.clock + min(passed, GAP)
    now = replace(
        state,
        wanted=wanted,
        load=load,
        clock=clock,
        needs=_remember(state.needs, clock, needed.workers, policy.down_cooldown),
    )
    fits = sample.workers + sample.starting + room.more
    goal = _whole(needed.workers)
    if goal > wanted:
        after, limit = _raise(policy, now, goal, fits)
    else:
        after, limit = _lower(policy, now, sample)
    replicas = after.wanted
    if replicas > fits:
        replicas, limit = int(fits), Limit.HOST
    surplus = max(0, sample.workers + sample.starting - replicas)
    reason = needed.reason
    if limit is not None:
        reason += f"; {_because(policy, after, limit, room)}"
    return after, Decision(
        replicas=replicas,
        idle_now=min(surplus, sample.idle),
        reason=reason,
        blocked_by=limit,
    )


def _raise(policy: Policy, now: State, goal: int, fits: float) -> tuple[State, Limit | None]:
    limit = None
    if goal > policy.maximum:
        goal, limit = policy.maximum, Limit.MAXIMUM
    if policy.step_up and goal > now.wanted + policy.step_up:
        goal, limit = now.wanted + policy.step_up, Limit.STEP
    if goal > fits:
        goal, limit = int(fits), Limit.HOST
    if goal <= now.wanted:
        return now, limit
    # From zero nobody works: there is nothing to wait for.
    if now.wanted and now.clock - now.raised_at < policy.up_cooldown:
        return now, Limit.UP_COOLDOWN
    return replace(now, wanted=goal, raised_at=now.clock, changed_at=now.clock), limit


def _lower(policy: Policy, now: State, sample: Sample) -> tuple[State, Limit | None]:
    highest = max(needed for _, needed in now.needs)
    goal = max(_whole(highest * (1 + _BAND)), _whole(sample.busy_slots / policy.slots))
    limit = None
    if goal < policy.minimum:
        goal, limit = policy.minimum, Limit.MINIMUM
    if goal >= now.wanted:
        return now, limit
    if policy.step_down and goal < now.wanted - policy.step_down:
        goal, limit = now.wanted - policy.step_down, Limit.STEP
    # Nothing older than the first sample is known: that counts as a change, too.
    if now.clock - max(now.changed_at, 0.0) < policy.down_cooldown:
        return now, Limit.DOWN_COOLDOWN
    return replace(now, wanted=goal, changed_at=now.clock), limit


def _remember(
    needs: tuple[tuple[float, float], ...], clock: float, needed: float, window: float
) -> tuple[tuple[float, float], ...]:
    """Only a need that nothing later exceeds can ever be the highest of the window."""
    kept = [(at, value) for at, value in needs if value > needed and clock - at <= window]
    return (*kept, (clock, needed))


def _whole(workers: float) -> int:
    return ceil(workers - _ROUNDING)


def _because(policy: Policy, now: State, limit: Limit, room: Room) -> str:
    match limit:
        case Limit.MINIMUM:
            return f"min is {policy.minimum}"
        case Limit.MAXIMUM:
            return f"max is {policy.maximum}"
        case Limit.HOST:
            return f"the host has no {room.scarce} left for more"
        case Limit.STEP:
            return "at most one step at a time"
        case Limit.UP_COOLDOWN:
            left = policy.up_cooldown - (now.clock - now.raised_at)
            return f"no more for another {left:.0f} s (up_cooldown)"
        case Limit.DOWN_COOLDOWN:
            left = policy.down_cooldown - (now.clock - max(now.changed_at, 0.0))
            return f"no fewer for another {left:.0f} s (down_cooldown)"
