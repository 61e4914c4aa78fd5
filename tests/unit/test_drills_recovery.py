"""How long it took: to notice, to hand on, to be steady again."""

from dataclasses import replace

import pytest

from jobctl.chaos.drills.history import Acknowledged, FaultSeen, History
from jobctl.chaos.drills.recovery import recoveries
from jobctl.chaos.drills.verdict import judge
from tests.support.forged import BEGAN, TERMS, JobMaker, history_of

KILL = FaultSeen("kill-worker", "worker-1", BEGAN + 2, BEGAN + 2)


def at(made: JobMaker, second: float, status: str, worker: str = "", cause: str = "") -> None:
    made.at = BEGAN + second - 0.05
    made.move(status, worker, cause or None)


def killed_at_two(lost_at: float = 3.0, again_at: float = 3.5) -> JobMaker:
    """A job whose worker dies at 2 s."""
    made = JobMaker(f"{1:026d}", "work", BEGAN)
    at(made, 1.0, "queued")
    at(made, 1.1, "claimed", "worker-1")
    made.mark("begin")
    at(made, lost_at, "queued", "worker-1", "worker-lost")
    at(made, again_at, "claimed", "worker-2")
    made.mark("begin")
    made.mark("end")
    at(made, again_at + 1, "succeeded", "worker-2")
    return made


def history(*jobs: JobMaker, fault: FaultSeen = KILL) -> History:
    return replace(history_of(jobs), faults=(fault,))


def test_a_killed_workers_jobs_tell_how_long_it_took() -> None:
    found = recoveries(history(killed_at_two()), TERMS)
    [one] = found.each
    assert one.held == one.lost == (f"{1:026d}",)
    assert one.detected == pytest.approx(1.0)
    assert one.redispatched == pytest.approx(1.5)
    # Until somebody has them again it is not steady.
    assert one.steady == pytest.approx(1.5)
    assert (found.late, found.steady_before) == ((), True)


def test_a_fault_that_took_nothing_was_noticed_by_nobody() -> None:
    idle = replace(KILL, instance="worker-3")
    [one] = recoveries(history(killed_at_two(), fault=idle), TERMS).each
    assert (one.held, one.detected, one.redispatched, one.steady) == ((), None, None, 0.0)


def test_a_job_that_a_busy_cluster_left_alone_is_held_and_not_lost() -> None:
    made = JobMaker(f"{1:026d}", "work", BEGAN)
    at(made, 1.0, "queued")
    at(made, 1.1, "claimed", "worker-1")
    made.mark("begin")
    made.mark("end")
    at(made, 3.0, "succeeded", "worker-1")
    [one] = recoveries(history(made), TERMS).each
    assert (len(one.held), one.lost, one.detected) == (1, (), None)


def test_recovery_beyond_the_bound_fails() -> None:
    late = history(killed_at_two(lost_at=60.0, again_at=63.0))
    judged = judge("forged", 1, late, TERMS)
    assert judged.outcome == "FAIL"
    assert "not steady from 2.0 s to 63.0 s" in judged.reasons[0]
    assert judge("forged", 1, late, replace(TERMS, bound=61.5)).outcome == "PASS"


def test_what_lasts_has_its_bound_from_its_end_on() -> None:
    lasting = replace(KILL, kind="pause-worker", ended=BEGAN + 20)
    made = killed_at_two(lost_at=60.0, again_at=63.0)
    assert judge("forged", 1, history(made, fault=lasting), TERMS).outcome == "PASS"


def test_a_cluster_that_was_not_steady_before_proves_nothing() -> None:
    waiting = JobMaker(f"{2:026d}", "work", BEGAN)
    at(waiting, 1.0, "queued")
    at(waiting, 2.5, "claimed", "worker-2")
    waiting.mark("begin")
    waiting.mark("end")
    at(waiting, 3.0, "succeeded", "worker-2")
    seen = history(killed_at_two(), waiting)
    terms = replace(TERMS, start_within=0.5)
    assert not recoveries(seen, terms).steady_before
    assert judge("forged", 1, seen, terms).outcome == "INCONCLUSIVE"
    assert recoveries(seen, TERMS).steady_before


def test_a_backlog_and_an_answer_that_takes_long_are_no_steady_state() -> None:
    seen = history(killed_at_two(), *(_brief(number) for number in (2, 3, 4)))
    assert recoveries(seen, replace(TERMS, backlog=2)).unsteady[-1] == pytest.approx(
        (BEGAN + 5.0, BEGAN + 6.0)
    )
    assert len(recoveries(seen, replace(TERMS, backlog=3)).unsteady) == 1
    slow = Acknowledged(BEGAN + 50, f"{1:026d}", "work", BEGAN + 8)
    seen = replace(seen, acknowledged=(*seen.acknowledged[1:], slow), ended=BEGAN + 60)
    assert recoveries(seen, TERMS).unsteady[-1] == pytest.approx((BEGAN + 38, BEGAN + 50))


def _brief(number: int) -> JobMaker:
    made = JobMaker(f"{number:026d}", "work", BEGAN)
    at(made, 5.0, "queued")
    at(made, 6.0, "claimed", "worker-2")
    made.mark("begin")
    made.mark("end")
    at(made, 7.0, "succeeded", "worker-2")
    return made
