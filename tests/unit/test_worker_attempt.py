"""Orders to end a job, and who ran beside whom."""

import select
from pathlib import Path

import pytest

from jobctl.worker.attempt import Activity, Attempt, Held
from jobctl.worker.cause import Stop
from tests.support.worker_queue import a_job


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [
        (Stop.HAND_BACK, Stop.CANCEL, Stop.CANCEL),
        (Stop.CANCEL, Stop.HAND_BACK, Stop.CANCEL),
        (Stop.CANCEL, Stop.TIMEOUT, Stop.CANCEL),
        (Stop.TIMEOUT, Stop.HAND_BACK, Stop.TIMEOUT),
        (Stop.HAND_BACK, Stop.TIMEOUT, Stop.HAND_BACK),
        (Stop.CANCEL, Stop.TAKEN_OVER, Stop.TAKEN_OVER),
        (Stop.TAKEN_OVER, Stop.CANCEL, Stop.TAKEN_OVER),
    ],
)
def test_which_reason_counts(first: Stop, second: Stop, wins: Stop) -> None:
    attempt = Attempt(a_job("x"))
    attempt.end(first, 10)
    attempt.end(second, 10)
    assert attempt.order is not None
    assert attempt.order.why is wins
    assert attempt.lost is (wins is Stop.TAKEN_OVER)
    attempt.close()


def test_the_earliest_end_counts() -> None:
    attempt = Attempt(a_job("x"))
    attempt.end(Stop.CANCEL, 60)
    late = attempt.order
    attempt.end(Stop.HAND_BACK, 1)
    early = attempt.order
    attempt.end(Stop.CANCEL, 60)
    assert late is not None
    assert early is not None
    assert early.kill_at < late.kill_at
    assert attempt.order == early
    attempt.close()


def test_an_order_after_the_end_is_harmless() -> None:
    held = Held()
    attempt = Attempt(a_job("x", attempt=3))
    held.add([attempt])
    assert held.find(*attempt.fence) is attempt
    assert held.find(attempt.job.id, 2) is None
    held.remove([attempt])
    attempt.end(Stop.CANCEL, 0)
    assert attempt.order is None
    assert held.all() == []


def test_who_runs_it_learns_of_every_order_even_an_earlier_one() -> None:
    attempt = Attempt(a_job("x"))
    told: list[str] = []
    attempt.on_order(lambda: told.append("first"))
    assert told == []
    attempt.end(Stop.HAND_BACK, 1)
    attempt.on_order(lambda: told.append("second"))
    attempt.end(Stop.CANCEL, 1)
    attempt.on_order(None)
    attempt.end(Stop.TAKEN_OVER, 0)
    assert told == ["first", "second", "second"]


def test_a_file_descriptor_is_made_only_for_who_asks_for_it() -> None:
    def open_now() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_now()
    attempts = [Attempt(a_job(function="m:f")) for _ in range(10)]
    assert open_now() == before
    attempts[0].end(Stop.CANCEL, 1)
    ready, _, _ = select.select([attempts[0].wake, attempts[1].wake], [], [], 0)
    assert ready == [attempts[0].wake]
    for attempt in attempts:
        attempt.close()
    assert open_now() == before


def test_alone_means_no_other_job_in_all_that_time() -> None:
    activity = Activity()
    first, second, third = (Attempt(a_job("x")) for _ in range(3))
    activity.enter(first)
    with activity.pause_others(first) as alone:
        assert alone
    activity.enter(second)
    with activity.pause_others(first) as alone:
        assert not alone
    assert not activity.was_alone(first)
    activity.leave(first)
    assert not activity.was_alone(second)
    activity.leave(second)
    activity.enter(third)
    assert activity.was_alone(third)
