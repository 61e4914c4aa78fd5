"""One decision after the other, for any policy and any samples: what always holds."""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobctl.control.autoscale import Decision, Limit, State, decide
from jobctl.control.autoscale_load import Backlog, Sample
from jobctl.control.autoscale_policy import Policy, Room

PLENTY = Room()


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    low = draw(st.integers(0, 20))
    target = draw(st.floats(0.1, 100.0))
    by_wait = draw(st.booleans())
    return Policy(
        minimum=low,
        maximum=draw(st.integers(max(1, low), 200)),
        slots=draw(st.integers(1, 8)),
        target_wait=target if by_wait else None,
        target_backlog_per_worker=None if by_wait else target,
        up_cooldown=draw(st.sampled_from([0.0, 5.0, 15.0])),
        down_cooldown=draw(st.sampled_from([0.0, 60.0])),
        step_up=draw(st.sampled_from([0, 1, 10])),
        step_down=draw(st.sampled_from([0, 1, 10])),
    )


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    workers = draw(st.integers(0, 100))
    return Sample(
        now=draw(st.floats(-1e9, 1e9)),
        queues=(
            Backlog(
                draw(st.integers(0, 100_000)),
                oldest_age=draw(st.floats(0, 1e6)),
                parked=draw(st.integers(0, 100)),
                paused=draw(st.booleans()),
            ),
        ),
        workers=workers,
        starting=draw(st.integers(0, 20)),
        draining=draw(st.integers(0, 20)),
        idle=draw(st.integers(0, workers)),
        busy_slots=draw(st.integers(0, 200)),
        ended=draw(st.integers(0, 100_000)),
    )


rooms = st.builds(Room, cpus=st.floats(-5, 50), memory=st.floats(-5, 50)) | st.just(PLENTY)


def play(policy: Policy, seen: Iterable[Sample], wanted: int | None = None) -> list[Decision]:
    state = State(wanted=policy.minimum if wanted is None else wanted)
    made = []
    for sample in seen:
        state, decision = decide(policy, state, sample, PLENTY)
        made.append(decision)
    return made


@given(
    policy=policies(),
    seen=st.lists(st.tuples(samples(), rooms), max_size=30),
    wanted=st.integers(0, 500),
)
def test_within_the_bounds_and_the_room_whatever_is_seen_and_whatever_the_clock_does(
    policy: Policy, seen: list[tuple[Sample, Room]], wanted: int
) -> None:
    state = State(wanted=wanted)
    for sample, room in seen:
        before = state
        state, decision = decide(policy, state, sample, room)
        there = sample.workers + sample.starting
        assert 0 <= decision.replicas <= policy.maximum
        assert decision.replicas <= there + room.more
        if there + room.more >= policy.minimum:
            assert decision.replicas >= policy.minimum
        if decision.replicas < min(state.wanted, policy.maximum):
            assert decision.blocked_by is Limit.HOST
        assert 0 <= decision.idle_now <= sample.idle
        assert decision.idle_now <= max(0, there - decision.replicas)
        assert before.clock <= state.clock <= before.clock + 60.0
        assert math.isfinite(state.load.busy + state.load.offered)


@given(policy=policies(), seen=st.lists(samples(), min_size=1, max_size=30))
def test_never_lowered_below_what_the_busy_need(policy: Policy, seen: list[Sample]) -> None:
    state = State(wanted=policy.minimum)
    for sample in seen:
        before = max(state.wanted, policy.minimum)
        state, decision = decide(policy, state, sample, PLENTY)
        if decision.replicas < before:
            assert decision.replicas >= min(sample.busy_slots / policy.slots, policy.maximum)


@given(
    policy=policies(),
    seen=st.lists(st.tuples(samples(), st.floats(1, 20)), min_size=10, max_size=40),
    wanted=st.integers(1, 50),
)
def test_cooldowns_and_steps_are_kept(
    policy: Policy, seen: list[tuple[Sample, float]], wanted: int
) -> None:
    policy = replace(policy, minimum=0, maximum=100)
    state = State(wanted=wanted)
    raised, changed, now = -math.inf, 0.0, 0.0
    for sample, passed in seen:
        now += passed
        was = state.wanted
        state, _ = decide(policy, state, replace(sample, now=now), PLENTY)
        if state.wanted > was:
            assert was == 0 or state.clock - raised >= policy.up_cooldown
            assert not policy.step_up or state.wanted - was <= policy.step_up
            raised = changed = state.clock
        elif state.wanted < was:
            assert state.clock - changed >= policy.down_cooldown
            assert not policy.step_down or was - state.wanted <= policy.step_down
            changed = state.clock


@given(policy=policies(), seen=st.lists(samples(), max_size=10), last=samples(), more=st.integers())
def test_more_in_the_queue_never_means_fewer_workers(
    policy: Policy, seen: list[Sample], last: Sample, more: int
) -> None:
    longer = replace(last, queues=(replace(last.queues[0], queued=last.queued + abs(more) % 9999),))
    last = replace(last, queues=(replace(last.queues[0], paused=False),))
    longer = replace(longer, queues=(replace(longer.queues[0], paused=False),))
    if longer.queued < last.queued:
        longer, last = last, longer
    assert play(policy, [*seen, longer])[-1].replicas >= play(policy, [*seen, last])[-1].replicas


@given(
    policy=policies(),
    seen=st.lists(samples(), min_size=1, max_size=20),
    parked=st.integers(0, 10**6),
    held=st.integers(0, 10**6),
)
def test_parked_and_paused_work_changes_nothing(
    policy: Policy, seen: list[Sample], parked: int, held: int
) -> None:
    extra = Backlog(held, oldest_age=1e6, parked=parked, paused=True)
    more = [replace(sample, queues=(*sample.queues, extra)) for sample in seen]
    plain = [decision.replicas for decision in play(policy, seen)]
    assert [decision.replicas for decision in play(policy, more)] == plain


@given(policy=policies(), queued=st.integers(1, 10**6), cooled=st.booleans())
def test_back_from_zero_with_the_first_sample_that_sees_a_job(
    policy: Policy, queued: int, cooled: bool
) -> None:
    policy = replace(policy, minimum=0)
    state = State(wanted=0, raised_at=-math.inf if cooled else 0.0, changed_at=0.0)
    sample = Sample(now=1.0, queues=(Backlog(queued),), workers=0)
    assert decide(policy, state, sample, PLENTY)[1].replicas >= 1


@given(policy=policies(), wanted=st.integers(1, 60))
def test_to_the_minimum_when_nothing_is_to_do_and_to_zero_only_where_that_is_it(
    policy: Policy, wanted: int
) -> None:
    nothing = [
        Sample(now=float(now), queues=(Backlog(0),), workers=wanted, idle=wanted)
        for now in range(0, 60 * 80, 30)
    ]
    assert play(policy, nothing, wanted)[-1].replicas == policy.minimum


def test_one_job_now_and_then_keeps_a_worker_but_an_idle_window_does_not() -> None:
    policy = Policy(minimum=0, maximum=9, target_wait=10, down_cooldown=60)
    seen = [
        Sample(now=5.0 * n, queues=(Backlog(0),), workers=1, idle=1, ended=n % 6 == 0)
        for n in range(60)
    ]
    assert {decision.replicas for decision in play(policy, seen, wanted=1)} == {1}
    seen += [Sample(now=300.0 + 5 * n, queues=(), workers=1, idle=1) for n in range(14)]
    assert play(policy, seen, wanted=1)[-1].replicas == 0


def test_a_clock_set_back_an_hour_holds_nothing_up() -> None:
    policy = Policy(minimum=1, maximum=50, target_backlog_per_worker=10)
    burst = Backlog(400)
    seen = [Sample(now=10_000.0, queues=(Backlog(0),), workers=1, idle=1)]
    seen += [Sample(now=6_400.0 + 5 * n, queues=(burst,), workers=1, busy_slots=1) for n in (0, 1)]
    assert play(policy, seen)[-1].replicas == 40


def test_a_refusal_says_what_the_host_lacks() -> None:
    policy = Policy(minimum=1, maximum=50, target_backlog_per_worker=10)
    sample = Sample(now=0.0, queues=(Backlog(400),), workers=1, busy_slots=1)
    _, decision = decide(policy, State(wanted=1), sample, Room(cpus=9.0, memory=2.5))
    assert (decision.replicas, decision.blocked_by) == (3, Limit.HOST)
    assert decision.reason == (
        "400 queued at 10 per worker, 1 busy; the host has no memory left for more"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum": 3, "maximum": 2, "target_wait": 1},
        {"minimum": 0, "maximum": 0, "target_wait": 1},
        {"minimum": 0, "maximum": 1},
        {"minimum": 0, "maximum": 1, "target_wait": 1, "target_backlog_per_worker": 1},
        {"minimum": 0, "maximum": 1, "target_wait": 0},
        {"minimum": 0, "maximum": 1, "target_wait": 1, "slots": 0},
        {"minimum": 0, "maximum": 1, "target_wait": 1, "step_up": -1},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="autoscale needs"):
        Policy(**wrong)


def test_the_oldest_job_far_beyond_its_wait_adds_workers_unless_one_is_idle_or_starting() -> None:
    policy = Policy(minimum=1, maximum=50, target_wait=10)
    late = Sample(
        now=0.0, queues=(Backlog(8, oldest_age=21.0),), workers=10, busy_slots=10, ended=100
    )
    assert play(policy, [late], wanted=10)[-1].replicas == 15
    assert play(policy, [replace(late, idle=1)], wanted=10)[-1].replicas == 10
    assert play(policy, [replace(late, starting=1)], wanted=10)[-1].replicas == 10
    # No more slots than there are jobs, running or queued.
    few = replace(late, queues=(Backlog(1, oldest_age=21.0),))
    assert play(policy, [few], wanted=10)[-1].replicas == 11
