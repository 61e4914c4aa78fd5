"""Rivals before the checker: what their jobs left becomes a history, and no more than it says."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.drills.adapt import Seen, history
from bench.drills.contestants import DEFAULT, TUNED, chosen
from bench.drills.effects import Execution, Marks, submits
from bench.drills.load import BOUND, TERMS, Kind
from bench.drills.recovered import recovery
from bench.drills.result import Result, best_rival, ratio, worst
from jobctl.chaos.drills.checker import Findings, check
from jobctl.chaos.drills.history import Acknowledged, FaultSeen

KILL = FaultSeen("kill-worker", "a", 10.0, 10.1)
PAUSE = FaultSeen("pause-worker", "a", 10.0, 40.0)
UNHARMED = Execution("job", "x", "b", 9.5, 9.6)


def seen(
    *executions: Execution,
    fault: FaultSeen = KILL,
    sent: float = 9.4,
    held: tuple[str, ...] = (),
    accepted: dict[str, int] | None = None,
) -> Seen:
    submit = Acknowledged(sent + 0.01, "job", "short", sent)
    ended = 50.0 + BOUND
    return Seen(9.0, ended, fault, (submit,), executions, held, accepted)


def found(one: Seen) -> Findings:
    findings = check(history(one), TERMS)
    assert not findings.gaps
    return findings


def defects(one: Seen) -> list[str]:
    return [defect.kind for defect in found(one).defects]


def test_a_job_that_ran_once_is_no_defect() -> None:
    findings = found(seen(UNHARMED))
    assert (findings.acknowledged, findings.ended) == (1, {"succeeded": 1})
    assert not findings.defects
    assert not findings.run_twice


def test_what_redis_has_forgotten_is_lost_and_what_it_still_has_is_stuck() -> None:
    assert defects(seen()) == ["lost"]
    assert defects(seen(held=("job",))) == ["stuck"]
    killed = Execution("job", "x", "a", 9.5)
    assert defects(seen(killed)) == ["lost"]
    assert defects(seen(killed, held=("job",))) == ["stuck"]


def test_a_job_that_ran_again_after_a_kill_is_run_twice_and_done_once() -> None:
    findings = found(seen(Execution("job", "x", "a", 9.5), Execution("job", "y", "b", 14, 14.1)))
    assert not findings.defects
    assert [(one.attempts, one.ended) for one in findings.run_twice] == [((1, 2), 1)]


def test_a_thawed_worker_that_ends_its_work_makes_it_done_twice() -> None:
    frozen, other = Execution("job", "x", "a", 9.5, 41.0), Execution("job", "y", "b", 14, 14.1)
    findings = found(seen(frozen, other, fault=PAUSE))
    assert not findings.defects
    assert [one.ended for one in findings.run_twice] == [2]


def test_executions_count_by_when_they_began_not_by_whose_file_was_read_first() -> None:
    later, first = Execution("job", "y", "a", 14, 14.1), Execution("job", "x", "b", 9.5)
    moves = history(seen(later, first)).moves
    assert [(one.at, one.worker) for one in moves if one.status == "running"] == [
        (9.5, "b"),
        (14, "a"),
    ]


def test_a_needless_run_after_the_end_counts_too() -> None:
    findings = found(seen(UNHARMED, Execution("job", "y", "c", 20, 20.1)))
    assert [one.ended for one in findings.run_twice] == [2]
    assert not findings.defects


def test_work_that_was_done_is_not_lost_because_a_needless_run_was_cut_off() -> None:
    findings = found(seen(UNHARMED, Execution("job", "y", "a", 9.9)))
    assert not findings.defects


def test_accepted_twice_is_only_what_the_rival_says_itself() -> None:
    runs = Execution("job", "x", "a", 9.5, 41.0), Execution("job", "y", "b", 14, 14.1)
    assert defects(seen(*runs, fault=PAUSE)) == []
    assert defects(seen(*runs, fault=PAUSE, accepted={"job": 1})) == []
    assert defects(seen(*runs, fault=PAUSE, accepted={"job": 2})) == ["accepted-twice"]


def test_a_begin_that_a_coarse_clock_puts_before_the_submit_is_no_gap() -> None:
    assert not defects(seen(Execution("job", "x", "b", 9.399, 9.5)))


def test_recovery_is_from_the_kill_to_the_begin_of_the_run_that_counts() -> None:
    cut, again = Execution("job", "x", "a", 9.5), Execution("job", "y", "b", 14, 14.1)
    assert recovery(seen(cut, again)) == pytest.approx(4.0)
    soon = Execution("job", "y", "b", 10.3, 10.4)
    assert recovery(seen(cut, soon)) == pytest.approx(0.3)
    assert recovery(seen(UNHARMED)) == 0
    assert math.isinf(recovery(seen(cut)))
    assert math.isinf(recovery(seen()))


def test_recovery_counts_what_the_victim_had_fetched_and_not_begun() -> None:
    waited = Execution("job", "x", "b", 16.0, 16.1)
    assert recovery(seen(waited)) == pytest.approx(6.0)


def test_a_wait_that_was_usual_before_the_fault_is_not_its_doing() -> None:
    waited = Execution("job", "x", "b", 16.0, 16.1)
    before, slow = (
        Acknowledged(2.0, "before", "short", 2.0),
        Execution("before", "z", "b", 9.0, 9.1),
    )
    one = seen(waited)
    both = replace(
        one, acknowledged=(before, *one.acknowledged), executions=(slow, *one.executions)
    )
    assert recovery(both) == 0


def test_what_is_held_up_long_after_all_was_well_is_not_the_faults_doing() -> None:
    cut, again = Execution("job", "x", "a", 9.5), Execution("job", "y", "b", 11.0, 11.1)
    for sent, seconds in ((12.9, 4.9), (13.1, 1.0)):
        later = Acknowledged(sent, "later", "short", sent)
        slow = Execution("later", "z", "b", 14.9, 15.0)
        one = seen(cut, again)
        both = replace(
            one, acknowledged=(*one.acknowledged, later), executions=(*one.executions, slow)
        )
        assert recovery(both) == pytest.approx(seconds)
    never = Acknowledged(30.0, "never", "short", 30.0)
    assert math.isinf(recovery(replace(one, acknowledged=(*one.acknowledged, never))))


def test_a_paused_worker_that_nobody_relieves_has_its_work_in_hand_at_its_end() -> None:
    frozen = Execution("job", "x", "a", 9.5, 41.0)
    assert recovery(seen(frozen, fault=PAUSE)) == pytest.approx(31.0)
    other = Execution("job", "y", "b", 14.0, 14.1)
    assert recovery(seen(frozen, other, fault=PAUSE)) == pytest.approx(4.0)


def test_who_is_let_go_may_end_before_that_is_told() -> None:
    frozen, again = Execution("job", "x", "a", 9.5, 39.99), Execution("job", "y", "b", 33.0, 33.1)
    assert recovery(seen(frozen, again, fault=PAUSE)) == pytest.approx(23.0)
    # What ended just as it was to be frozen was not.
    assert recovery(seen(Execution("job", "x", "a", 9.5, 10.01), fault=PAUSE)) == 0


def test_what_runs_through_a_pause_on_another_worker_is_not_held_up() -> None:
    assert recovery(seen(Execution("job", "x", "b", 9.5, 41.0), fault=PAUSE)) == 0


def test_what_went_to_a_worker_while_it_was_paused_is_held_up_by_the_pause() -> None:
    late = Execution("job", "x", "a", 40.2, 40.3)
    assert recovery(seen(late, fault=PAUSE, sent=20.0)) == pytest.approx(30.2)


def test_marks_are_read_as_they_come(tmp_path: Path) -> None:
    marks, file = Marks(tmp_path), tmp_path / "drill.a"
    file.write_text("begin one x 5.0\nbegin two y 5.5\nend one x 6.")
    marks.look()
    assert [one.job for one in marks.running("a")] == ["one", "two"]
    with file.open("a") as more:
        more.write("25\nbegin one z 7.0\n")
    marks.look()
    assert marks.done() == {"one"}
    assert marks.executions[0] == Execution("one", "x", "a", 5.0, 6.25)
    assert [one.attempt for one in marks.running("a")] == ["y", "z"]


def test_a_submit_counts_once_its_line_is_whole(tmp_path: Path) -> None:
    assert submits(tmp_path) == []
    (tmp_path / "submits").write_text("one short 1.0 1.5\ntwo long 2.0 2.")
    assert submits(tmp_path) == [Acknowledged(1.5, "one", "short", 1.0)]


def result(
    name: str, seconds: float, kind: Kind = "kill-worker", one: Seen | None = None
) -> Result:
    return Result(name, "as it comes", kind, found(one or seen(UNHARMED)), seconds)


def test_a_row_shows_what_is_unknown_as_such_and_never_as_nothing() -> None:
    assert result("r", 1.5).row()[2:9] == ["1", "0", "0", "0", "0", "–", "1.50"]  # noqa: RUF001
    cut = seen(Execution("job", "x", "a", 9.5), Execution("job", "y", "b", 14, 14.1))
    assert result("r", 4.0, one=cut).row()[5:7] == ["1", "0"]
    stuck = result("r", math.inf, one=seen(held=("job",))).row()
    assert stuck[3:5] == ["0", "1"]
    assert stuck[8] == "not within 180"


def test_failings_name_each_promise_that_did_not_hold() -> None:
    assert result("r", 1.0).failings() == []
    assert result("r", math.inf, one=seen()).failings() == ["r, kill-worker: 1 lost"]


def test_the_best_rival_is_the_one_whose_worst_is_shortest_and_left_nothing() -> None:
    results = [
        result("a", 1.0),
        result("a", math.inf, "pause-worker"),
        result("b", 4.0),
        result("b", 5.0, "pause-worker"),
    ]
    assert best_rival(results, ["a", "b"]) == "b"
    assert best_rival(results, ["a", "b"], "kill-worker") == "a"
    assert ratio(1.0, 4.0) == 0.25
    assert math.isnan(ratio(1.0, 0.0))
    assert best_rival(results, ["a"]) == ""
    assert worst(results, "b") == 5.0


def test_each_rival_is_drilled_as_it_comes_and_tuned() -> None:
    assert {f"{one.name}-tuned" for one in DEFAULT} == {one.name for one in TUNED}
    _, tuned, default = chosen(["celery"])
    assert [one.name for one in (*tuned, *default)] == ["celery-tuned", "celery"]
    assert len(chosen([])[1]) == 3
    with pytest.raises(ValueError, match="there is no rival 'huey'"):
        chosen(["huey"])
