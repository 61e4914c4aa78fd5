"""The figures of the recovery benchmark: only what a kill cut off is a sample."""

import math
from pathlib import Path

from bench.recovery.log import Execution, Log
from bench.recovery.verdict import Kill, judge

KILLS = [Kill("a", 10.0, 10.1), Kill("a", 20.0, 20.1)]


def test_the_clock_runs_from_the_kill_to_the_second_start() -> None:
    verdict = judge(KILLS, {1: [Execution("a", 9.9), Execution("b", 10.4, 10.5)]}, 1)
    assert [round(sample, 3) for sample in verdict.samples] == [0.4]
    assert (verdict.lost, verdict.ended_twice, verdict.needless) == (0, 0, 0)


def test_each_kill_counts_for_itself() -> None:
    runs = [Execution("a", 9.9), Execution("a", 19.95), Execution("b", 21.0, 21.1)]
    assert [round(s, 3) for s in judge(KILLS, {1: runs}, 1).samples] == [9.95, 1.0]


def test_what_never_starts_again_is_lost() -> None:
    verdict = judge(KILLS, {1: [Execution("a", 9.9)], 2: [Execution("b", 1.0, 1.1)]}, 3)
    assert verdict.samples == (math.inf,)
    assert verdict.lost == 2  # one of them never began


def test_a_second_run_that_no_kill_explains_is_needless() -> None:
    runs = {1: [Execution("b", 9.0, 9.1), Execution("c", 12.0, 12.1)]}
    verdict = judge(KILLS, runs, 1)
    assert (verdict.samples, verdict.ended_twice, verdict.needless) == ((), 1, 1)


def test_an_end_that_nobody_could_be_told_is_no_needless_run() -> None:
    runs = {1: [Execution("a", 9.85, 9.99), Execution("c", 10.3, 10.4)]}
    verdict = judge(KILLS, runs, 1)
    assert (verdict.samples, verdict.ended_twice, verdict.needless) == ((), 1, 0)


def test_the_log_is_read_as_it_grows(tmp_path: Path) -> None:
    log, file = Log(tmp_path), tmp_path / "run.a"
    file.write_text("s 1 5.0\ns 2 5.5\ne 1 6.")
    log.look()
    assert set(log.running("a")) == {1, 2}
    with file.open("a") as more:
        more.write("25\ns 1 7.0\n")
    log.look()
    assert log.executions[1] == [Execution("a", 5.0, 6.25), Execution("a", 7.0)]
    assert log.completed() == 1
    assert log.begun_since("a", 6.5)
    assert not log.begun_since("a", 7.5)
