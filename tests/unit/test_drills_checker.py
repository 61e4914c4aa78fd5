"""The checker against forged histories: valid ones pass, and no planted defect gets through."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobctl.chaos.drills.history import HELD, TERMINAL, FaultSeen, History, Listed, Moved, Refused
from jobctl.chaos.drills.verdict import Verdict, judge
from tests.support.forged import BEGAN, TERMS, JobMaker, histories, history_of, without_moves

# Each of many tests looks at a few histories; JOBCTL_TEST_SIZE=full at many.
FEW = settings(max_examples=settings.default.max_examples // 3 if settings.default else 10)


def verdict(history: History) -> Verdict:
    return judge("forged", 1, history, TERMS)


def found(history: History, kind: str) -> set[str]:
    """The jobs with this defect; every defect has the job's story."""
    defects = [one for one in verdict(history).defects if one.kind == kind]
    assert all(one.story and one.text for one in defects)
    return {one.job for one in defects}


def one_of(history: History, data: st.DataObject, work: str = "work") -> str:
    jobs = [one.job for one in history.acknowledged if one.work == work]
    assume(jobs)
    return data.draw(st.sampled_from(jobs), "the job")


def cut_before(history: History, job: str, status: frozenset[str] | set[str]) -> History:
    """The history of a job that never came as far as this status."""
    own = [move for move in history.moves if move.job == job]
    first = next(index for index, move in enumerate(own) if move.status in status)
    return without_moves(history, own[first:])


@FEW
@given(histories)
def test_a_valid_history_passes(history: History) -> None:
    judged = verdict(history)
    assert (judged.outcome, judged.exit_code, judged.reasons) == ("PASS", 0, ())
    assert sum(judged.ended.values()) == judged.acknowledged == judged.sent
    assert not judged.defects


@FEW
@given(histories, st.data())
def test_a_missing_event_is_never_a_pass(history: History, data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(history.moves), "the event")
    judged = verdict(without_moves(history, [gone]))
    assert (judged.outcome, judged.exit_code) == ("INCONCLUSIVE", 2)
    assert any(gone.job in gap for gap in judged.gaps)


@FEW
@given(histories, st.data())
def test_any_stretch_of_missing_events_is_never_a_pass(
    history: History, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(history.moves) - 1))
    last = data.draw(st.integers(first, len(history.moves) - 1))
    judged = verdict(without_moves(history, history.moves[first : last + 1]))
    assert judged.outcome == "INCONCLUSIVE"


@FEW
@given(histories, st.data())
def test_a_recording_out_of_order_is_never_a_pass(history: History, data: st.DataObject) -> None:
    moves = list(history.moves)
    assume(len(moves) > 1)
    place = data.draw(st.integers(0, len(moves) - 2))
    moves[place], moves[place + 1] = moves[place + 1], moves[place]
    assert verdict(replace(history, moves=tuple(moves))).outcome == "INCONCLUSIVE"


@FEW
@given(histories)
def test_what_the_recorder_knows_to_be_missing_is_never_a_pass(history: History) -> None:
    judged = verdict(replace(history, breaks=("the stream had been cut",)))
    assert judged.outcome == "INCONCLUSIVE"
    assert "the stream had been cut" in judged.reasons[0]


@FEW
@given(histories, st.data())
def test_a_lost_job_is_found(history: History, data: st.DataObject) -> None:
    job = one_of(history, data)
    forged = cut_before(history, job, TERMINAL)
    forged = replace(forged, listing={**forged.listing, job: None})
    assert found(forged, "lost") == {job}
    assert verdict(forged).outcome == "FAIL"


@FEW
@given(histories, st.data())
def test_a_job_of_which_nobody_ever_heard_is_lost(history: History, data: st.DataObject) -> None:
    job = one_of(history, data)
    own = [move for move in history.moves if move.job == job]
    marks = tuple(mark for mark in history.marks if mark.job != job)
    forged = replace(
        without_moves(history, own), listing={**history.listing, job: None}, marks=marks
    )
    assert found(forged, "lost") == {job}
    assert verdict(forged).outcome == "FAIL"


def plant(history: History, after: Moved, **changes: Any) -> History:
    """Put one more event right behind one that is there."""
    place = history.moves.index(after)
    more = replace(after, event=f"{after.event[:-1]}5", at=after.at + 1e-4, **changes)
    moves = (*history.moves[: place + 1], more, *history.moves[place + 1 :])
    return replace(history, moves=moves)


@FEW
@given(histories, st.data(), st.sampled_from(["succeeded", "claimed", "running"]))
def test_a_second_accepted_end_is_found(history: History, data: st.DataObject, was: str) -> None:
    job = one_of(history, data)
    end = next(m for m in history.moves if m.job == job and m.status in TERMINAL)
    forged = plant(history, end, was=was)
    assert found(forged, "accepted-twice") == {job}
    assert verdict(forged).outcome == "FAIL"


@FEW
@given(histories, st.data())
def test_an_end_accepted_from_an_older_attempt_is_found(
    history: History, data: st.DataObject
) -> None:
    job = one_of(history, data)
    end = next(m for m in history.moves if m.job == job and m.status in TERMINAL)
    assume(end.attempt > 1)
    forged = plant(history, end, was="running", attempt=end.attempt - 1)
    assert found(forged, "accepted-twice") == {job}


@FEW
@given(histories, st.data())
def test_an_acceptance_that_the_listing_tells_otherwise_is_found(
    history: History, data: st.DataObject
) -> None:
    job = one_of(history, data)
    listed = history.listing[job]
    assert listed is not None
    other = replace(listed, accepted=listed.attempt + 1)
    assert found(replace(history, listing={**history.listing, job: other}), "accepted-twice")


@FEW
@given(histories, st.data(), st.sampled_from(["failed", "cancelled"]))
def test_an_unexpected_end_is_found(history: History, data: st.DataObject, ended: str) -> None:
    job = one_of(history, data)
    listed = history.listing[job]
    assert listed is not None
    forged = replace(
        history,
        moves=tuple(
            replace(move, status=ended, was="running", cause="exit")
            if move.job == job and move.status == "succeeded"
            else move
            for move in history.moves
        ),
        listing={**history.listing, job: replace(listed, status=ended)},
    )
    assert found(forged, "unexpected") == {job}
    assert verdict(forged).outcome == "FAIL"


@FEW
@given(histories, st.data())
def test_poison_that_succeeds_is_unexpected(history: History, data: st.DataObject) -> None:
    job = one_of(history, data, "poison")
    listed = history.listing[job]
    assert listed is not None
    forged = replace(
        history,
        moves=tuple(
            replace(move, status="succeeded", cause=None)
            if move.job == job and move.status == "failed"
            else move
            for move in history.moves
        ),
        listing={**history.listing, job: replace(listed, status="succeeded")},
    )
    assert found(forged, "unexpected") == {job}


@FEW
@given(histories, st.data(), st.sampled_from(["end", "begin and end"]))
def test_a_success_without_its_work_is_found(
    history: History, data: st.DataObject, gone: str
) -> None:
    job = one_of(history, data)
    accepted = history.listing[job]
    assert accepted is not None
    marks = tuple(
        mark
        for mark in history.marks
        if not (mark.job == job and mark.attempt == accepted.attempt and mark.what in gone)
    )
    forged = replace(history, marks=marks)
    assert found(forged, "cut-short") == {job}
    assert verdict(forged).outcome == "FAIL"


@FEW
@given(histories, st.data())
def test_a_success_before_its_own_work_ended_is_found(
    history: History, data: st.DataObject
) -> None:
    """What a fence that lets everybody through looks like: another attempt's end was taken."""
    job = one_of(history, data)
    accepted = history.listing[job]
    assert accepted is not None
    marks = tuple(
        replace(mark, at=mark.at + 5)
        if (mark.job, mark.attempt, mark.what) == (job, accepted.attempt, "end")
        else mark
        for mark in history.marks
    )
    forged = replace(history, marks=marks)
    assert found(forged, "cut-short") == {job}
    # Where a clock was set wrong on purpose, it proves nothing.
    wrong = tuple(
        FaultSeen("wrong-clock", worker, BEGAN, BEGAN)
        for worker in ("worker-1", "worker-2", "worker-3")
    )
    assert not found(replace(forged, faults=wrong), "cut-short")


@FEW
@given(histories, st.data(), st.booleans())
def test_a_job_that_never_ends_is_found(
    history: History, data: st.DataObject, moving: bool
) -> None:
    job = one_of(history, data)
    forged = cut_before(history, job, TERMINAL)
    last = [move for move in forged.moves if move.job == job][-1]
    after = TERMS.bound - 1 if moving else TERMS.bound + 1
    forged = replace(
        forged,
        listing={**history.listing, job: Listed(last.status, last.attempt)},
        ended=max(last.at + after, *(move.at for move in forged.moves)),
    )
    assume(forged.ended - last.at == pytest.approx(after))
    assert found(forged, "unfinished" if moving else "stuck") == {job}
    assert verdict(forged).outcome == "FAIL"


@FEW
@given(histories, st.data())
def test_a_way_that_no_job_may_take_is_found(history: History, data: st.DataObject) -> None:
    job = one_of(history, data)
    end = next(m for m in history.moves if m.job == job and m.status in TERMINAL)
    forged = plant(history, end, was="succeeded", status="running")
    assert job in found(forged, "impossible")
    assert verdict(forged).outcome != "PASS"


@FEW
@given(histories)
def test_marks_of_attempts_that_no_event_tells_of_are_never_a_pass(history: History) -> None:
    strange = replace(history.marks[0], attempt=99)
    judged = verdict(replace(history, marks=(*history.marks, strange)))
    assert judged.outcome == "INCONCLUSIVE"


@FEW
@given(histories)
def test_what_is_not_as_before_fails(history: History) -> None:
    judged = verdict(replace(history, not_restored=("worker-2 is paused",)))
    assert judged.outcome == "FAIL"
    assert "worker-2 is paused" in judged.reasons[0]


@FEW
@given(histories)
def test_a_fault_that_could_not_be_made_shows_nothing(history: History) -> None:
    fault = FaultSeen("partition", "worker-1", BEGAN, BEGAN, "there is no such worker")
    judged = verdict(replace(history, faults=(fault,)))
    assert judged.outcome == "INCONCLUSIVE"


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
