"""The rules that are compared: each gets a sample and answers how many workers there should be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil

from jobctl.control.autoscale import State, decide
from jobctl.control.autoscale_load import Sample
from jobctl.control.autoscale_policy import Policy, Room

Rule = Callable[[Sample], int]


def decided(policy: Policy) -> Rule:
    """jobctl's decision."""
    state = State(wanted=policy.minimum)

    def rule(sample: Sample) -> int:
        nonlocal state
        state, decision = decide(policy, state, sample, Room())
        return decision.replicas

    return rule


def naive(minimum: int, maximum: int, target: float) -> Rule:
    """The backlog through the target, at every sample, and nothing else."""
    return lambda sample: min(maximum, max(minimum, ceil(sample.queued / target)))


def windowed(minimum: int, maximum: int, target: float) -> Rule:
    """The same as Kubernetes' HorizontalPodAutoscaler does it, with its default behaviour.

    A tenth of tolerance; down to the highest number of the last 300 s; up at most to twice as
    many or four more within 15 s, whichever is more.
    """
    recent: deque[tuple[float, int]] = deque()
    raised: deque[tuple[float, int]] = deque()
    current = minimum

    def rule(sample: Sample) -> int:
        nonlocal current
        wanted = min(maximum, max(minimum, ceil(sample.queued / target)))
        if current and abs(sample.queued / target / current - 1) <= 0.1:
            wanted = current
        recent.append((sample.now, wanted))
        while recent[0][0] < sample.now - 300:
            recent.popleft()
        while raised and raised[0][0] <= sample.now - 15:
            raised.popleft()
        if wanted > current:
            start = raised[0][1] if raised else current
            wanted = min(wanted, max(2 * start, start + 4))
            if wanted > current:
                raised.append((sample.now, current))
        elif wanted < current:
            wanted = min(current, max(value for _, value in recent))
        current = wanted
        return current

    return rule


def fixed(workers: int) -> Rule:
    """No autoscaling."""
    return lambda _: workers
