"""Revivals wait longer and longer, a crash loop ends, and what is well is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.control.healing import (
    FOREVER,
    ConditionName,
    Died,
    Healing,
    Policy,
    Refused,
    Seen,
    State,
    backoff,
    condition_of,
    decide,
)
from jobctl.engine.errors import Conflict, EngineError, NotFound, PortTaken

POLICY = Policy()
W = "worker-1"
WANTED = frozenset({W})


def down(*events: Died | Refused, wanted: frozenset[str] = WANTED) -> Seen:
    return Seen(wanted, frozenset(), events)


def up(*events: Died | Refused) -> Seen:
    return Seen(WANTED, WANTED, events)


def dead(at: float) -> Died:
    return Died(W, at, "its main process ended with exit code 1")


def refused(at: float, name: ConditionName = "PortTaken") -> Refused:
    return Refused(W, at, name, "Port 8000 is taken.", "jobctl up --port 8001")


def test_the_first_revival_is_immediate_and_each_further_wait_is_twice_as_long() -> None:
    state, waits = State(), []
    at = 1000.0
    for _ in range(9):
        state, healing = decide(state, down(dead(at)), POLICY, at)
        waits.append(healing.until.get(W, at) - at)
        at += waits[-1]
        state, healing = decide(state, down(), POLICY, at)
        assert healing.left_alone == frozenset()
        state, _ = decide(state, up(), POLICY, at)
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_crash_loop_is_given_up_with_a_named_condition() -> None:
    state, healing = State(), Healing({}, ())
    for number in range(10):
        assert healing.conditions == ()
        state, healing = decide(state, down(dead(float(number))), POLICY, float(number))
    assert healing.until == {W: FOREVER}
    (condition,) = healing.conditions
    assert (condition.name, condition.instance, condition.since) == ("CrashLoop", W, 9.0)
    assert condition.reason == (
        "It ended 10 times within 600 s and is left alone; the last time: its main process ended "
        "with exit code 1."
    )
    assert condition.next
    # It stays so, and no refusal takes its place.
    state, healing = decide(state, down(refused(99_000.0)), POLICY, 99_000.0)
    assert healing.until == {W: FOREVER}
    assert healing.conditions == (condition,)
    # Somebody started it: nobody stops it, but it is only well when it has run for a while.
    state, healing = decide(state, up(), POLICY, 100_000.0)
    assert healing == Healing({}, (condition,))
    state, healing = decide(state, up(), POLICY, 100_000.0 + POLICY.steady)
    assert (state, healing) == (State(), Healing({}, ()))


def test_given_up_and_started_by_somebody_it_dies_again() -> None:
    state = State()
    for number in range(10):
        state, _ = decide(state, down(dead(float(number))), POLICY, float(number))
    state, _ = decide(state, up(), POLICY, 5000.0)
    state, healing = decide(state, down(dead(5001.0)), POLICY, 5001.0)
    assert healing.until == {W: FOREVER}
    assert [each.since for each in healing.conditions] == [9.0]


def test_a_refusal_is_tried_again_for_ever_and_its_condition_ends_with_the_start() -> None:
    state, at = State(), 0.0
    for _ in range(100):
        state, healing = decide(state, down(refused(at)), POLICY, at)
        assert [(each.name, each.since) for each in healing.conditions] == [("PortTaken", 0.0)]
        at = healing.until.get(W, at)
        assert at < FOREVER
    state, healing = decide(state, down(refused(at, "NoRoom")), POLICY, at)
    assert [(each.name, each.since) for each in healing.conditions] == [("NoRoom", at)]
    state, healing = decide(state, up(), POLICY, at + 60.0)
    assert healing == Healing({}, ())


def test_a_healthy_time_resets_the_wait() -> None:
    state = State()
    for at in (0.0, 1.0, 3.0):
        state, healing = decide(state, down(dead(at)), POLICY, at)
    assert healing.until == {W: 5.0}
    state, _ = decide(state, up(), POLICY, 7.0)
    state, _ = decide(state, up(), POLICY, 7.0 + POLICY.steady)
    state, healing = decide(state, down(dead(50.0)), POLICY, 50.0)
    assert healing.until == {}


def test_one_that_always_lives_a_little_longer_is_a_crash_loop_too() -> None:
    state, at = State(), 0.0
    for _ in range(9):
        state, healing = decide(state, up(), POLICY, at)
        state, healing = decide(state, up(), POLICY, at + POLICY.steady)
        at += POLICY.steady + 1
        state, healing = decide(state, down(dead(at)), POLICY, at)
        assert healing.until == {}
    state, healing = decide(state, down(dead(at + 1)), POLICY, at + 1)
    assert healing.until == {W: FOREVER}


def test_what_the_engine_itself_restarts_is_counted_but_nothing_is_left_alone() -> None:
    state = State()
    for number in range(12):
        state, healing = decide(state, up(dead(float(number))), POLICY, float(number))
        assert healing.until == {}
    assert [each.name for each in healing.conditions] == ["CrashLoop"]


def test_what_is_not_wanted_is_forgotten() -> None:
    state = State()
    for number in range(10):
        state, _ = decide(state, down(dead(float(number))), POLICY, float(number))
    state, healing = decide(state, down(dead(10.0), wanted=frozenset()), POLICY, 10.0)
    assert (state, healing) == (State(), Healing({}, ()))
    state, healing = decide(state, down(dead(11.0)), POLICY, 11.0)
    assert healing.until == {}


def test_the_wait_is_bounded_whatever_the_count() -> None:
    assert backoff(10**6, POLICY) == POLICY.max_backoff


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (PortTaken("Port 8000 is taken.", port=8000), "PortTaken"),
        (NotFound("No such image: redis:7"), "ImageMissing"),
        (NotFound("No such network: demo"), "StartFailed"),
        (EngineError("write /x: no space left on device"), "NoRoom"),
        (EngineError("fork/exec: cannot allocate memory"), "NoRoom"),
        (Conflict("in use"), "StartFailed"),
    ],
)
def test_a_refusal_has_a_name(error: EngineError, name: ConditionName) -> None:
    assert condition_of(error) == name


policies = st.builds(
    Policy,
    backoff=st.floats(0.1, 5.0),
    max_backoff=st.floats(5.0, 60.0),
    give_up_after=st.integers(1, 12),
    window=st.floats(10.0, 900.0),
    steady=st.floats(1.0, 60.0),
)


@given(
    policy=policies,
    lifetimes=st.lists(st.floats(0.0, 120.0) | st.just(0.0), min_size=1, max_size=60),
    interval=st.floats(0.5, 10.0),
)
def test_never_more_starts_in_any_window_than_allowed(
    policy: Policy, lifetimes: list[float], interval: float
) -> None:
    state, now = State(), 0.0
    starts: list[float] = []
    for lifetime in lifetimes:
        end = now + lifetime
        while now + interval < end:
            now += interval
            state, _ = decide(state, up(), policy, now)
        now = end
        state, healing = decide(state, down(dead(now)), policy, now)
        if healing.until.get(W) == FOREVER:
            break
        # It is tried at the moment it is said to be: until then it is left alone.
        ready = healing.until.get(W, now)
        state, healing = decide(state, down(), policy, (now + ready) / 2)
        assert (W in healing.left_alone) == (ready > now)
        now = ready
        state, healing = decide(state, down(), policy, now)
        assert healing.until == {}
        starts.append(now)
        state, _ = decide(state, up(), policy, now)
    for first in starts:
        within = [at for at in starts if first <= at < first + policy.window]
        assert len(within) <= policy.give_up_after


events = st.lists(
    st.tuples(st.sampled_from(["dead", "refused", "up", "down"]), st.floats(0.0, 200.0)),
    max_size=50,
)


@given(policy=policies, history=events)
def test_after_a_healthy_time_and_a_window_nothing_is_remembered(
    policy: Policy, history: list[tuple[str, float]]
) -> None:
    state, now = State(), 0.0
    for what, seconds in history:
        now += seconds
        happened = (dead(now),) if what == "dead" else (refused(now),) if what == "refused" else ()
        seen = up() if what == "up" else down(*happened)
        state, healing = decide(state, seen, policy, now)
        gave_up = any(each.name == "CrashLoop" for each in healing.conditions)
        if what != "up":
            assert gave_up == (healing.until.get(W) == FOREVER)
        assert all(ready > now for ready in healing.until.values())
    for seconds in (0.0, policy.steady + 0.001, policy.window):
        now += seconds
        state, healing = decide(state, up(), policy, now)
    assert (state, healing) == (State(), Healing({}, ()))
