"""The checker against forged histories: valid ones pass, and no planted defect gets through."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobctl.chaos.drills.history import TERMINAL, FaultSeen, History, Listed, Moved
from jobctl.chaos.drills.verdict import Verdict, judge
from tests.support.forged import BEGAN, TERMS, histories, without_moves

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
