"""The decision in a closed loop with a simulated pool: it settles, it reacts, it cuts nothing."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.autoscale.pool import Host, Pool
from bench.autoscale.rules import Rule, decided, naive
from bench.autoscale.trial import turns
from bench.autoscale.work import Service, poisson
from jobctl.control.autoscale_policy import Policy

TICK, SAMPLE = 0.25, 20
WARM, WATCHED = 60, 240  # samples of 5 s
targets = st.sampled_from(["wait", "backlog"])


def policy_for(target: str, maximum: int) -> Policy:
    if target == "wait":
        return Policy(minimum=1, maximum=maximum, target_wait=10)
    return Policy(minimum=1, maximum=maximum, target_backlog_per_worker=10)


def wanted_over(rule: Rule, rate: float, seed: int, count: int) -> tuple[list[int], Pool]:
    rng = random.Random(seed)
    pool = Pool(Service(1.0, exponential=True), Host(), random.Random(seed), TICK, ready=1)
    wanted = []
    for _ in range(count):
        wanted.append(rule(pool.sample()))
        pool.scale(wanted[-1])
        for _ in range(SAMPLE):
            pool.step(poisson(rate * TICK, rng))
    return wanted, pool


@settings(max_examples=12, deadline=None)
@given(target=targets, rate=st.floats(1.0, 60.0), seed=st.integers(0, 10**6))
def test_on_a_constant_rate_with_noise_it_settles(target: str, rate: float, seed: int) -> None:
    wanted, pool = wanted_over(decided(policy_for(target, 100)), rate, seed, WARM + WATCHED)
    # Twenty minutes of Poisson arrivals and exponential services.
    assert turns(wanted[WARM:]) <= 8
    assert rate * 0.9 <= sum(wanted[WARM:]) / WATCHED <= rate * 1.5 + 4
    assert pool.told_busy == 0


def test_the_naive_rule_does_not_settle_so_the_bound_above_means_something() -> None:
    wanted, pool = wanted_over(naive(1, 100, 10), 20.0, 1, WARM + WATCHED)
    assert turns(wanted[WARM:]) > 8
    assert pool.told_busy > 0


@settings(max_examples=25, deadline=None)
@given(
    target=targets,
    jobs=st.integers(600, 50_000),
    idle_before=st.integers(1, 100),
    seed=st.integers(0, 10**6),
)
def test_a_burst_is_met_within_three_samples(
    target: str, jobs: int, idle_before: int, seed: int
) -> None:
    rule = decided(policy_for(target, 50))
    pool = Pool(Service(1.0), Host(), random.Random(seed), TICK, ready=1)
    wanted = []
    for number in range(idle_before + 3):
        wanted.append(rule(pool.sample()))
        pool.scale(wanted[-1])
        for step in range(SAMPLE):
            pool.step(jobs if number == idle_before - 1 and step == SAMPLE - 1 else 0)
    assert set(wanted[:idle_before]) == {1}
    assert wanted[-1] == 50


@settings(max_examples=15, deadline=None)
@given(target=targets, minimum=st.integers(0, 3), seed=st.integers(0, 10**6))
def test_a_burst_over_the_pool_is_back_at_its_minimum_with_no_job_cut(
    target: str, minimum: int, seed: int
) -> None:
    policy = Policy(**{**vars(policy_for(target, 40)), "minimum": minimum})
    rule = decided(policy)
    pool = Pool(Service(1.0, 1.0), Host(), random.Random(seed), TICK, ready=minimum)
    wanted = []
    for number in range(160):
        wanted.append(rule(pool.sample()))
        pool.scale(wanted[-1])
        for step in range(SAMPLE):
            pool.step(3000 if (number, step) == (5, 0) else 0)
    assert max(wanted) == 40
    assert wanted[-1] == minimum
    assert turns(wanted) == 1
    assert pool.told_busy == 0
    assert pool.ended == 3000
