"""What the checker counts, allows and tells, by one history each."""

from dataclasses import replace

import pytest

from jobctl.chaos.drills.history import HELD, History, Listed, Refused
from jobctl.chaos.drills.verdict import Verdict, judge
from tests.support.forged import BEGAN, TERMS, JobMaker, history_of, without_moves


def verdict(history: History) -> Verdict:
    return judge("forged", 1, history, TERMS)


def job(number: int = 1) -> JobMaker:
    made = JobMaker(f"{number:026d}", "work", BEGAN + 1)
    made.move("queued")
    return made


def test_work_that_was_begun_twice_is_counted_and_allowed() -> None:
    one = job()
    one.try_once("lost-ended", "worker-1", told=True)
    one.try_once("lost-unbegun", "worker-1", told=True)
    one.try_once("succeeded", "worker-2", told=True)
    judged = verdict(history_of([one]))
    assert judged.outcome == "PASS"
    assert judged.run_twice == 1
    assert (judged.twice[0].attempts, judged.twice[0].ended) == ((1, 3), 2)
    # Unless the drill says that nothing may be.
    strict = judge("forged", 1, history_of([one]), replace(TERMS, run_twice=0))
    assert (strict.outcome, strict.reasons) == ("FAIL", ("1 run twice, at most 0 may",))


def test_a_retry_of_what_failed_by_itself_is_no_work_done_twice() -> None:
    one = job()
    one.try_once("failed", "worker-1", told=True)
    one.try_once("succeeded", "worker-2", told=True)
    assert (verdict(history_of([one])).outcome, verdict(history_of([one])).run_twice) == ("PASS", 0)
    # But what another attempt did beside it is.
    both = job()
    both.try_once("lost", "worker-1", told=True)
    both.try_once("failed", "worker-1", told=True)
    both.try_once("succeeded", "worker-2", told=True)
    assert verdict(history_of([both])).twice[0].attempts == (1, 3)


def test_an_attempt_that_fails_of_what_it_may_not_is_unexpected_though_a_later_one_succeeds() -> (
    None
):
    one = job()
    one.try_once("failed", "worker-1", told=True)
    one.try_once("lost", "worker-1", told=True)
    one.try_once("handed-back", "worker-1", told=True)
    one.try_once("succeeded", "worker-2", told=True)
    history = history_of([one])
    strict = judge("forged", 1, history, replace(TERMS, retried_for={"work": frozenset({"oom"})}))
    assert strict.outcome == "FAIL"
    assert [(one.kind, one.text) for one in strict.defects] == [
        ("unexpected", "attempt 1 failed (exit), not of oom")
    ]
    lax = replace(TERMS, retried_for={"work": frozenset({"oom", "exit"})})
    assert judge("forged", 1, history, lax).outcome == "PASS"


def test_a_retry_opens_a_run_in_which_it_may_end_again() -> None:
    one = job()
    one.try_once("succeeded", "worker-1", told=True)
    one.move("queued")
    one.try_once("succeeded", "worker-1", told=False)
    judged = verdict(history_of([one]))
    assert (judged.outcome, judged.run_twice) == ("PASS", 0)


def test_refused_writes_are_counted() -> None:
    history = history_of([_ended()])
    refused = (Refused(BEGAN, history.acknowledged[0].job, "worker-1"),)
    assert verdict(replace(history, refused=refused)).fenced == 1


@pytest.mark.parametrize("how", ["succeeded", "failed"])
def test_a_renewal_that_met_the_end_of_its_own_attempt_was_not_fenced(how: str) -> None:
    one = job()
    one.try_once(how, "worker-1", told=True)
    history = history_of([one])
    ended = next(move.at for move in history.moves if move.was in HELD and move.status not in HELD)

    def fenced(at: float, worker: str) -> int:
        return verdict(replace(history, refused=(Refused(at, one.job, worker),))).fenced

    assert fenced(ended + 0.01, "worker-1") == 0
    # Somebody else's end, one that is long over, and one that was not accepted yet are no excuse.
    assert fenced(ended + 0.01, "worker-2") == 1
    assert fenced(ended + 10, "worker-1") == 1
    assert fenced(ended - 0.01, "worker-1") == 1


def test_nothing_acknowledged_proves_nothing() -> None:
    history = replace(history_of([_ended()]), acknowledged=())
    assert verdict(history).outcome == "INCONCLUSIVE"


def _ended() -> JobMaker:
    one = job()
    one.try_once("succeeded", "worker-1", told=False)
    return one


def test_a_story_tells_everything_in_its_order() -> None:
    one = job()
    one.try_once("lost", "worker-1", told=True)
    one.try_once("succeeded", "worker-2", told=False)
    history = history_of([one])
    forged = replace(history, marks=tuple(m for m in history.marks if m.what == "begin"))
    [defect] = verdict(forged).defects
    words = [line.partition(" s ")[2] for line in defect.story]
    assert words == [
        "queued (attempt 0)",
        "acknowledged (work)",
        "claimed by worker-1 (attempt 1)",
        "attempt 1 began its work",
        "running by worker-1 (attempt 1)",
        "queued by worker-1 (attempt 1, worker-lost)",
        "claimed by worker-2 (attempt 2)",
        "attempt 2 began its work",
        "succeeded by worker-2 (attempt 2)",
    ]


def test_the_story_of_a_stuck_job_tells_of_the_fault_behind_it() -> None:
    one = job()
    one.move("claimed", "worker-1")
    history = history_of([one])
    listing = {one.job: Listed("queued", 1)}
    forged = replace(history, listing=listing, ended=BEGAN + 3 + TERMS.bound)
    [defect] = verdict(forged).defects
    assert defect.kind == "stuck"
    assert defect.story[-1] == "+2.000 s fault: kill-worker of worker-1"


def test_what_moves_while_the_listing_is_made_is_no_gap() -> None:
    history = history_of([_ended()])
    job_id = history.acknowledged[0].job
    running = replace(history, listing={job_id: Listed("running", 1)})
    assert verdict(running).outcome == "INCONCLUSIVE"
    meanwhile = replace(running, ended=history.moves[-1].at - 0.1)
    assert verdict(meanwhile).outcome == "PASS"
    # But what the listing knows to have ended must be recorded, however late it was.
    missing = replace(without_moves(history, history.moves[-1:]), ended=history.moves[-2].at)
    assert verdict(missing).outcome == "INCONCLUSIVE"
