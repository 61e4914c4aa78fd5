"""One autoscaled pool: what was decided for it, and what is decided next. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from jobctl.cluster.orders import Order
from jobctl.config import Pool as Settings
from jobctl.config.autoscale import Autoscale
from jobctl.control import autoscale
from jobctl.control.autoscale import Decision, Limit, decide
from jobctl.control.autoscale_load import GAP, Sample, measure
from jobctl.control.autoscale_policy import Policy, Room
from jobctl.control.autoscale_sample import Look, Memory, sample
from jobctl.control.autoscale_share import Server
from jobctl.control.state import PoolState

_LONG_GONE = 60.0
"""Seconds after which workers that were ordered and are not there will hardly come."""


@dataclass(frozen=True)
class Rule:
    """What cluster.yaml and the operator say of a pool.

    ``fixed`` is the number that `jobctl scale` set, which counts while the autoscaler is paused.
    """

    settings: Settings
    autoscale: Autoscale
    order: Order
    fixed: int | None = None

    @property
    def policy(self) -> Policy:
        """The bounds and targets; an order's bounds go before those of the file."""
        own, order = self.autoscale, self.order
        low = own.min if order.minimum is None else order.minimum
        high = own.max if order.maximum is None else order.maximum
        return Policy(
            minimum=low,
            maximum=max(1, low, high),
            slots=self.settings.concurrency,
            target_backlog_per_worker=own.target_backlog_per_worker,
            target_wait=own.target_wait,
            up_cooldown=own.up_cooldown,
            down_cooldown=own.down_cooldown,
            step_up=own.step.up,
            step_down=own.step.down,
        )


@dataclass(frozen=True)
class Pool:
    """What is known of a pool: ``replicas`` it is to have, and why; ``at`` (s) since when."""

    replicas: int
    at: float
    reason: str = ""
    blocked_by: str | None = None
    paused: bool = False
    state: autoscale.State = field(default_factory=lambda: autoscale.State(0))
    memory: Memory = field(default_factory=Memory)
    seen: Sample | None = None

    @property
    def told(self) -> PoolState:
        """What others are told of it."""
        return PoolState(self.replicas, self.reason, self.blocked_by, self.paused, self.at)

    @property
    def has_work(self) -> bool:
        """Whether anything waited or ran when it was last looked at."""
        return self.seen is None or bool(self.seen.queued or self.seen.busy_slots)

    @property
    def is_off(self) -> bool:
        """Whether the workers are not as they should be: some are too many, or leaving."""
        seen = self.seen
        return seen is not None and (seen.workers > self.replicas or seen.draining > 0)

    def server(self, name: str, rule: Rule, at: float) -> Server:
        """Return what this pool could do for its queues; ``at`` is the time of day (s)."""
        most = self.replicas if rule.order.paused else rule.policy.maximum
        if self._is_stuck(at):
            most = 0
        return Server(name, rule.settings.queues, most * rule.settings.concurrency)

    def _is_stuck(self, at: float) -> bool:
        """Whether nobody of it works, and that will not soon be otherwise."""
        if self.seen is None or self.seen.workers:
            return False
        if self.replicas:
            return at - self.at > _LONG_GONE
        return self.blocked_by == Limit.HOST

    def horizon(self, rule: Rule) -> float:
        """Return within how many seconds a job should begin."""
        return rule.autoscale.target_wait or self.state.load.service_time


def begun(replicas: int, at: float, reason: str = "") -> Pool:
    """Return a pool that nothing is known of but how many workers it is to have."""
    return Pool(replicas, at, reason, state=autoscale.State(replicas))


def rested(pool: Pool, now: float) -> Pool:
    """Return a pool that had no work, and of whose queues was just seen that they are empty.

    Without that, the first jobs after a pause would seem to have run since the last full look.
    """
    before = pool.state.load.before
    if before is None or pool.has_work:
        return pool
    idle = replace(before, now=now, ended=0)
    clock = pool.state.clock + min(idle.since(before), GAP)
    return replace(
        pool, state=replace(pool.state, load=measure(pool.state.load, idle), clock=clock)
    )


def raised(pool: Pool, rule: Rule, at: float) -> Pool:
    """Return the pool with its least of workers at once: for that no look is needed."""
    least = rule.policy.minimum
    if rule.order.paused or pool.replicas >= least:
        return pool
    reason, state = f"min is {least}", replace(pool.state, wanted=least)
    return replace(pool, replicas=least, at=at, reason=reason, blocked_by=None, state=state)


def decided(pool: Pool, rule: Rule, look: Look, room: Callable[[Sample], Room], at: float) -> Pool:
    """Return the pool after one look more; ``at`` is the time of day (s since 1970)."""
    memory, seen = sample(pool.memory, look)
    policy = rule.policy
    state, decision = decide(policy, pool.state, seen, room(seen))
    # The least that there must be is not for the host's room to refuse.
    replicas = max(decision.replicas, policy.minimum)
    reason, blocked_by = decision.reason, _limit(decision)
    if rule.order.paused:
        replicas = pool.replicas if rule.fixed is None else rule.fixed
        state = replace(state, wanted=replicas)
        reason, blocked_by = f"paused; otherwise {decision.replicas}: {reason}", None
    same = (replicas, blocked_by, rule.order.paused) == (
        pool.replicas,
        pool.blocked_by,
        pool.paused,
    )
    return Pool(
        replicas=replicas,
        at=pool.at if same else at,
        reason=reason,
        blocked_by=blocked_by,
        paused=rule.order.paused,
        state=state,
        memory=memory,
        seen=seen,
    )


def _limit(decision: Decision) -> str | None:
    return None if decision.blocked_by is None else decision.blocked_by.value
