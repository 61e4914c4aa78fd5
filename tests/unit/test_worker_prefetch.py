"""How many jobs are held, and how they are shared out, for any pace and any load."""

from hypothesis import given
from hypothesis import strategies as st

from jobctl.worker import prefetch
from jobctl.worker.prefetch import LONG, MAX_AHEAD, MAX_BATCH, PATIENCE, Pace

paces = st.none() | st.floats(1e-6, 100.0)
slots = st.integers(1, 64)
waits = st.lists(st.floats(0.0, 3.0), max_size=40)


@given(per_job=paces, count=slots)
def test_never_more_than_the_limit_and_none_behind_long_jobs(
    per_job: float | None, count: int
) -> None:
    held = prefetch.depth(per_job, count)
    assert 0 <= held <= MAX_AHEAD
    if per_job is None or per_job >= LONG:
        assert held == 0
    else:
        # About 50 ms of work for all slots together.
        assert held * per_job <= count * 0.05 + per_job


@given(short=st.floats(1e-6, 0.1), long=st.floats(1e-6, 100.0), count=slots)
def test_longer_jobs_never_mean_more_of_them(short: float, long: float, count: int) -> None:
    short, long = sorted((short, long))
    assert prefetch.depth(long, count) <= prefetch.depth(short, count)


def test_no_op_functions_fill_two_batches() -> None:
    assert prefetch.depth(20e-6, 2) == MAX_AHEAD == 2 * MAX_BATCH
    assert prefetch.share(MAX_AHEAD, 1, 20e-6) == MAX_BATCH


@given(waiting=st.integers(1, 400), free=slots, per_job=paces)
def test_a_share_is_at_least_one_and_at_most_what_is_bearable(
    waiting: int, free: int, per_job: float | None
) -> None:
    got = prefetch.share(waiting, free, per_job)
    assert 1 <= got <= min(waiting, MAX_BATCH)
    if per_job is None or per_job >= LONG:
        assert got == 1
    elif got > 1:
        assert got * per_job <= 0.05


@given(waiting=st.integers(1, 400), free=slots, per_job=st.floats(0.002, 0.09))
def test_what_is_worth_a_slot_is_spread_evenly(waiting: int, free: int, per_job: float) -> None:
    even = -(-waiting // free)
    assert prefetch.share(waiting, free, per_job) <= max(1, even)


def test_a_second_slot_is_not_woken_for_a_millisecond_of_work() -> None:
    assert prefetch.share(50, 2, 20e-6) == 50
    assert prefetch.share(50, 2, 1e-3) == 25


@given(samples=st.lists(st.tuples(st.floats(0.0, 10.0), st.integers(1, 128)), min_size=1))
def test_a_pace_stays_within_what_was_seen(samples: list[tuple[float, int]]) -> None:
    pace = Pace()
    for seconds, jobs in samples:
        pace.note(seconds, jobs)
    seen = [max(1e-6, seconds / jobs) for seconds, jobs in samples]
    assert pace.per_job is not None
    assert min(seen) * 0.999 <= pace.per_job <= max(seen) * 1.001


@given(before=st.integers(0, 50))
def test_a_surprise_stops_holding_until_short_jobs_are_seen_again(before: int) -> None:
    pace = Pace()
    for _ in range(before):
        pace.note(0.001, 100)
    pace.surprise()
    assert prefetch.depth(pace.per_job, 2) == 0
    for _ in range(20):
        pace.note(0.0001, 1)
    assert prefetch.depth(pace.per_job, 2) > 0


@given(waited=waits, busy=st.lists(st.floats(0.0, 5.0), min_size=1, max_size=8), per_job=paces)
def test_exactly_what_would_wait_too_long_is_overdue(
    waited: list[float], busy: list[float], per_job: float | None
) -> None:
    late, again = prefetch.overdue(waited, busy, per_job)
    assert late == sorted(set(late))
    for place, since in enumerate(waited):
        expected = since + min(busy) + place // len(busy) * (per_job or 0.0)
        if place in late:
            assert expected >= PATIENCE * 0.999
        else:
            assert expected < PATIENCE
            # Both parts grow with the time: it is looked at again before it is too late.
            assert expected + 2 * again <= PATIENCE * 1.001
    assert 0 < again <= PATIENCE / 2


@given(
    queues=st.lists(st.text("abcdef", min_size=1), min_size=1, max_size=6, unique=True),
    begin=st.integers(0, 1000),
)
def test_the_first_queue_comes_first_mostly_and_every_one_sometimes(
    queues: list[str], begin: int
) -> None:
    turns = [
        prefetch.queue_order(queues, turn)
        for turn in range(begin, begin + 8 * max(1, len(queues) - 1))
    ]
    assert all(sorted(turn) == sorted(queues) for turn in turns)
    first = [turn[0] for turn in turns]
    assert set(first) == set(queues)
    assert first.count(queues[0]) * 8 >= len(first) * 7
