"""A slot's jobs share folders under changing names: each finds itself in its own."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from jobctl.queue import Cause, ClaimedJob, Outcome
from jobctl.worker.attempt import Activity, Attempt
from jobctl.worker.cause import Stop
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import UNSTARTED, Ended, Result, Shop
from jobctl.worker.launcher import Start
from jobctl.worker.places import Place
from jobctl.worker.prefetch import MAX_COMMANDS
from jobctl.worker.settings import Settings
from jobctl.worker.starter import Begun
from tests.support.worker_place import log_of, place, silent
from tests.support.worker_queue import a_job

OK = Outcome(True, exit_code=0)
Run = Callable[[ClaimedJob], Result]


class Deaf:
    """A listener that does not care."""

    def started(self, attempt: Attempt) -> None: ...
    def note(self, attempt: Attempt, report: object) -> None: ...


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return place(tmp_path)


@pytest.fixture
def lane(settings: Settings) -> Iterator[CommandLane]:
    lane = CommandLane(Shop(settings, Deaf(), silent, Activity()), 0, lambda: 0)
    yield lane
    lane.close()


@pytest.fixture
def run(lane: CommandLane) -> Run:
    def run_one(job: ClaimedJob) -> Result:
        ends: list[Ended] = []
        attempt = Attempt(job)
        lane.run([attempt], ends.extend)
        attempt.close()
        [(_, result)] = ends
        return result

    return run_one


@pytest.fixture
def settled(lane: CommandLane) -> None:
    """The launcher knows the folders that the next jobs will have."""
    until = time.monotonic() + 30
    while len(lane._station.launcher._places) < MAX_COMMANDS:
        assert time.monotonic() < until
        ends = run_all(lane, *(a_job("true") for _ in range(MAX_COMMANDS)))
        assert all(result.outcome == OK for _, result in ends)


class Answered:
    """The series that the launcher was asked to run, and how far each came by itself."""

    def __init__(self, lane: CommandLane, monkeypatch: pytest.MonkeyPatch) -> None:
        self.series: list[tuple[int, int]] = []
        begin = lane._starter.begin

        def seen(series: Sequence[Attempt], places: Sequence[Place]) -> Begun:
            begun = begin(series, places)
            self.series.append((len(series), begun.well))
            return begun

        monkeypatch.setattr(lane._starter, "begin", seen)


@pytest.fixture
def answered(lane: CommandLane, settled: None, monkeypatch: pytest.MonkeyPatch) -> Answered:
    return Answered(lane, monkeypatch)


def where(settings: Settings, run: Run) -> tuple[str, str]:
    """Where a job finds itself, by the kernel's word, and where it should."""
    job = a_job("/bin/sh", "-c", "readlink /proc/self/cwd")
    assert run(job).outcome == OK
    said = log_of(settings, job).decode().strip()
    return said, str(settings.paths.jobs / job.id / "1" / "output")


@pytest.mark.usefixtures("settled")
def test_a_job_is_in_its_own_folder_though_its_launcher_went_nowhere(
    lane: CommandLane, run: Run, settings: Settings
) -> None:
    known = dict(lane._station.launcher._places)
    assert known[0] == lane._places._spares[0].number
    for _ in range(3):
        said, own = where(settings, run)
        assert said == own
    assert lane._station.launcher._places == known


@pytest.mark.usefixtures("settled")
def test_what_a_job_leaves_is_not_the_next_ones(run: Run, settings: Settings) -> None:
    job = a_job("touch", "here")
    assert run(job).outcome == OK
    assert (settings.paths.jobs / job.id / "1" / "output" / "here").exists()
    said, own = where(settings, run)
    assert said == own


@pytest.mark.usefixtures("settled")
def test_a_command_that_cannot_start_leaves_the_next_one_in_its_own_folder(
    run: Run, settings: Settings
) -> None:
    run(a_job("no-such-command"))
    said, own = where(settings, run)
    assert said == own


@pytest.mark.usefixtures("settled")
def test_a_new_launcher_is_told_where_to_go(
    lane: CommandLane, run: Run, settings: Settings
) -> None:
    pid = lane._station.launcher.pid
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    said, own = where(settings, run)
    assert said == own


def test_a_fifo_that_cannot_be_opened_is_not_the_commands_fault(
    lane: CommandLane, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.worker.command._REST_AFTER_TROUBLE", 0.0)
    assert run(a_job("true")).outcome == OK
    Path(lane._station.printed.path).unlink()
    # Nothing is said of the job: another worker may run it.
    assert run(a_job("true")).outcome is None


def run_all(lane: CommandLane, *jobs: ClaimedJob) -> list[Ended]:
    """Run these as one batch; their ends in the order in which they were told."""
    ends: list[Ended] = []
    attempts = [Attempt(job) for job in jobs]
    lane.run(attempts, ends.extend)
    for attempt in attempts:
        attempt.close()
    return ends


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
    jobs = [a_job("true"), a_job("/bin/sh", "-c", script), a_job("true"), a_job("true")]
    ends = run_all(lane, *jobs)
    assert [attempt.job.id for attempt, _ in ends] == [job.id for job in jobs]
    assert [result.outcome for _, result in ends] == [OK, outcome, OK, OK]
    assert answered.series[0] == (4, 1)
    if "said" in script:
        assert log_of(settings, jobs[1]) == b"said\n"


def test_a_launcher_that_is_killed_in_a_series_takes_one_job_with_it(
    lane: CommandLane, answered: Answered
) -> None:
    jobs = [a_job("true"), a_job("/bin/sh", "-c", "kill -KILL $PPID"), a_job("true")]
    ends = run_all(lane, *jobs)
    assert [result.outcome == OK for _, result in ends] == [True, False, True]
    assert ends[1][1].outcome is not None
    assert "process that started it" in ends[1][1].outcome.reason
    assert answered.series == [(3, 1), (1, 1)]


@pytest.mark.usefixtures("settled")
def test_a_launcher_that_ends_before_it_begins_costs_no_job(
    lane: CommandLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = lane._station.launcher
    ask = launcher.ask

    def ask_and_kill(series: Sequence[Start]) -> None:
        monkeypatch.undo()
        os.kill(launcher.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, launcher.pid, os.WSTOPPED)
        ask(series)
        os.kill(launcher.pid, signal.SIGKILL)

    monkeypatch.setattr(launcher, "ask", ask_and_kill)
    ends = run_all(lane, a_job("true"), a_job("true"))
    assert [result.outcome for _, result in ends] == [OK, OK]


def test_what_was_stopped_for_long_does_not_go_on_by_itself(
    lane: CommandLane, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The jobs behind may be another worker's by then."""
    launcher = lane._station.launcher
    stop = a_job("/bin/sh", "-c", "kill -STOP $PPID")
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


@pytest.mark.usefixtures("settled")
def test_what_is_behind_a_long_command_is_given_back(lane: CommandLane) -> None:
    told: list[list[Ended]] = []
    gate = Attempt(a_job("/bin/sh", "-c", "mkfifo gate; read line < gate"))
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


@pytest.mark.usefixtures("settled")
def test_a_failure_is_told_before_the_next_command_begins(lane: CommandLane) -> None:
    """An array that gives up after some failures hears of each as it happens."""
    told: list[list[str]] = []

    def done(ends: Sequence[Ended]) -> None:
        told.append([attempt.job.argv[0] for attempt, _ in ends])

    names = ("true", "false", "false", "true", "true")
    lane.run([Attempt(a_job(name)) for name in names], done)
    assert [name for group in told for name in group] == list(names)
    assert all(name != "false" for group in told for name in group[:-1])
