"""Short commands run in series: how far the launcher goes by itself, and what then."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from jobctl.queue import Cause, Outcome
from jobctl.worker.attempt import Activity, Attempt
from jobctl.worker.cause import Stop
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import UNSTARTED, Ended
from jobctl.worker.launcher import Start
from jobctl.worker.prefetch import MAX_COMMANDS
from jobctl.worker.settings import Settings
from tests.support.command_lane import OK, Answered, run_all, settled_lane, sh
from tests.support.worker_place import log_of, place
from tests.support.worker_queue import a_job


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return place(tmp_path)


@pytest.fixture
def lane(settings: Settings) -> Iterator[CommandLane]:
    with settled_lane(settings, Activity()) as lane:
        yield lane


@pytest.fixture
def answered(lane: CommandLane, monkeypatch: pytest.MonkeyPatch) -> Answered:
    return Answered(lane, monkeypatch)


def test_the_launcher_goes_from_one_to_the_next_by_itself(
    lane: CommandLane, settings: Settings, answered: Answered
) -> None:
    ends = run_all(lane, *(a_job("true") for _ in range(MAX_COMMANDS)))
    assert [result.outcome for _, result in ends] == [OK] * MAX_COMMANDS
    assert answered.series == [(MAX_COMMANDS, MAX_COMMANDS)]
    began = [result.started_at or 0 for _, result in ends]
    assert began == sorted(began)
    assert began[0] > 0
    assert all(entry.name[0] == "." for entry in settings.paths.jobs.iterdir())


def test_each_of_a_series_is_in_its_own_folder(
    lane: CommandLane, settings: Settings, answered: Answered
) -> None:
    say = ("/bin/sh", "-c", "readlink /proc/self/cwd; test -d $JOBCTL_OUTPUT")
    jobs = [a_job("true"), a_job("true"), a_job(*say), a_job("true"), a_job("touch", "here")]
    jobs += [a_job("true"), a_job(*say)]
    assert [result.outcome for _, result in run_all(lane, *jobs)] == [OK] * len(jobs)
    for job in (jobs[2], jobs[-1]):
        own = settings.paths.jobs / job.id / "1" / "output"
        assert log_of(settings, job).decode().strip() == str(own)
    assert (settings.paths.jobs / jobs[4].id / "1" / "output" / "here").exists()
    # What left nothing left no folder.
    left = {entry.name for entry in settings.paths.jobs.iterdir() if entry.name[0] != "."}
    assert left == {jobs[2].id, jobs[4].id, jobs[-1].id}
    assert answered.series[0] == (7, 2)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("echo said", OK),
        ("echo '{\"progress\": 50}' > $JOBCTL_REPORT", OK),
        ("exit 3", Outcome(False, Cause.EXIT, 3, None, "exit code 3")),
        ("sleep 0.05", OK),
        ("sleep 60 & exit 0", OK),
        ("kill -TERM $$", Outcome(False, Cause.SIGNAL, None, 15, "ended by SIGTERM")),
    ],
)
def test_whoever_leaves_something_ends_the_series_and_it_is_his(
    lane: CommandLane, settings: Settings, answered: Answered, script: str, outcome: Outcome
) -> None:
    jobs = [a_job("true"), sh(script), a_job("true"), a_job("true")]
    ends = run_all(lane, *jobs)
    assert [attempt.job.id for attempt, _ in ends] == [job.id for job in jobs]
    assert [result.outcome for _, result in ends] == [OK, outcome, OK, OK]
    assert answered.series[0] == (4, 1)
    if "said" in script:
        assert log_of(settings, jobs[1]) == b"said\n"


def test_a_launcher_that_is_killed_in_a_series_takes_one_job_with_it(
    lane: CommandLane, answered: Answered
) -> None:
    jobs = [a_job("true"), sh("kill -KILL $PPID"), a_job("true")]
    ends = run_all(lane, *jobs)
    assert [result.outcome == OK for _, result in ends] == [True, False, True]
    assert ends[1][1].outcome is not None
    assert "process that started it" in ends[1][1].outcome.reason
    assert answered.series == [(3, 1), (1, 1)]


def test_a_launcher_that_ends_before_it_begins_costs_no_job(
    lane: CommandLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = lane._station.launcher
    ask = launcher.ask

    def ask_and_kill(series: Sequence[Start], until: float) -> None:
        monkeypatch.undo()
        os.kill(launcher.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, launcher.pid, os.WSTOPPED)
        ask(series, until)
        os.kill(launcher.pid, signal.SIGKILL)

    monkeypatch.setattr(launcher, "ask", ask_and_kill)
    ends = run_all(lane, a_job("true"), a_job("true"))
    assert [result.outcome for _, result in ends] == [OK, OK]


def test_what_was_stopped_for_long_does_not_go_on_by_itself(
    lane: CommandLane, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The jobs behind may be another worker's by then."""
    launcher = lane._station.launcher
    stop = sh("kill -STOP $PPID")
    thawed: list[float] = []
    wake = launcher.wake

    def thaw() -> None:
        thawed.append(time.monotonic())
        wake()

    monkeypatch.setattr(launcher, "wake", thaw)
    run_all(lane, stop, a_job("true"))
    assert thawed
    assert answered.series == [(2, 1), (1, 1)]


@pytest.mark.parametrize("why", [Stop.CANCEL, Stop.HAND_BACK])
def test_who_is_ordered_to_end_before_his_turn_does_not_begin(
    lane: CommandLane, settings: Settings, answered: Answered, why: Stop
) -> None:
    attempts = [Attempt(a_job("true")) for _ in range(3)]
    attempts[1].end(why, 0)
    ends: list[Ended] = []
    lane.run(attempts, ends.extend)
    assert [result.outcome == OK for _, result in ends] == [True, False, True]
    assert ends[1][1].outcome is None or ends[1][1].outcome.cause is Cause.CANCELLED
    assert answered.series == [(1, 1), (1, 1)]
    assert all(entry.name[0] == "." for entry in settings.paths.jobs.iterdir())


def test_one_that_could_not_be_started_is_tried_again_with_its_turn(
    lane: CommandLane, answered: Answered, settings: Settings
) -> None:
    jobs = [a_job("true"), a_job("no-such-command"), a_job("true")]
    assert [r.outcome.exit_code for _, r in run_all(lane, *jobs) if r.outcome] == [0, 127, 0]
    assert answered.series == [(3, 1), (1, 1)]
    assert b"no-such-command" in log_of(settings, jobs[1])


def test_what_is_behind_a_long_command_is_given_back(lane: CommandLane) -> None:
    told: list[list[Ended]] = []
    gate = Attempt(sh("mkfifo gate; read line < gate"))
    behind, cancelled = Attempt(a_job("true")), Attempt(a_job("true"))
    cancelled.end(Stop.CANCEL, 1)

    def done(ends: Sequence[Ended]) -> None:
        told.append(list(ends))
        if len(told) == 2:
            gate.end(Stop.CANCEL, grace=0)

    short = Attempt(a_job("true"))
    lane.run([short, gate, behind, cancelled], done)
    # The short one's end does not wait for the long one's, nor do those behind.
    assert [[attempt for attempt, _ in ends] for ends in told] == [
        [short],
        [behind, cancelled],
        [gate],
    ]
    [(_, given_back), (_, over)] = told[1]
    assert given_back == UNSTARTED
    assert over.outcome is not None
    assert over.outcome.cause is Cause.CANCELLED


def test_a_failure_is_told_before_the_next_command_begins(lane: CommandLane) -> None:
    """An array that gives up after some failures hears of each as it happens."""
    told: list[list[str]] = []

    def done(ends: Sequence[Ended]) -> None:
        told.append([attempt.job.argv[0] for attempt, _ in ends])

    names = ("true", "false", "false", "true", "true")
    lane.run([Attempt(a_job(name)) for name in names], done)
    assert [name for group in told for name in group] == list(names)
    assert all(name != "false" for group in told for name in group[:-1])


def test_what_was_stopped_before_it_was_asked_begins_with_one_only(
    lane: CommandLane, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = lane._station.launcher
    ask = launcher.ask

    def ask_stopped(series: Sequence[Start], until: float) -> None:
        monkeypatch.setattr(launcher, "ask", ask)
        os.kill(launcher.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, launcher.pid, os.WSTOPPED)
        ask(series, until)

    # It is woken at the next nudge, which comes when the series is too old.
    monkeypatch.setattr(launcher, "ask", ask_stopped)
    ends = run_all(lane, *(a_job("true") for _ in range(4)))
    assert [result.outcome for _, result in ends] == [OK] * 4
    assert answered.series == [(4, 1), (3, 3)]


def test_a_launcher_that_was_stopped_takes_a_long_request_all_the_same(lane: CommandLane) -> None:
    pid = lane._station.launcher.pid
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)
    jobs = [a_job("true", env={"LONG": "x" * 60_000}) for _ in range(MAX_COMMANDS)]
    assert [result.outcome for _, result in run_all(lane, *jobs)] == [OK] * MAX_COMMANDS


def test_a_launcher_that_a_long_job_has_stopped_is_woken(
    lane: CommandLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.worker.watch._NUDGE", 0.05)
    assert run_all(lane, sh("sleep 0.03; kill -STOP $PPID"))[0][1].outcome == OK


def test_a_timeout_counts_from_the_start(lane: CommandLane) -> None:
    """Also if the launcher was stopped before it could say that the job takes long."""
    [(_, result)] = run_all(lane, sh("kill -STOP $PPID; exec sleep 0.5", timeout=0.05, grace=0.0))
    assert result.outcome is not None
    assert result.outcome.cause is Cause.TIMEOUT
