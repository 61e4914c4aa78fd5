"""Short commands run in series: each for itself, and what one does is not another's."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from jobctl.queue import Cause, ClaimedJob, Outcome
from jobctl.worker import folders
from jobctl.worker.attempt import Activity, Attempt
from jobctl.worker.cause import Stop
from jobctl.worker.cleanup import processes_of
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import UNSTARTED, Ended, Shop
from jobctl.worker.launcher import Begun, Start
from jobctl.worker.places import Place
from jobctl.worker.prefetch import MAX_COMMANDS
from jobctl.worker.settings import Settings
from tests.support.command_lane import OK, Deaf, run_all, settle
from tests.support.worker_place import log_of, place, silent
from tests.support.worker_queue import a_job

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives jobs a user of their own")


def sh(script: str, **fields: Any) -> ClaimedJob:
    return a_job("/bin/sh", "-c", script, **fields)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return place(tmp_path)


@pytest.fixture
def activity() -> Activity:
    return Activity()


@pytest.fixture
def lane(settings: Settings, activity: Activity) -> Iterator[CommandLane]:
    lane = CommandLane(Shop(settings, Deaf(), silent, activity), 0, lambda: 0)
    settle(lane)
    yield lane
    lane.close()


class Answered:
    """The series that the launcher was asked to run, and how far each came by itself."""

    def __init__(self, lane: CommandLane, monkeypatch: pytest.MonkeyPatch) -> None:
        self.series: list[tuple[int, int]] = []
        begin = lane._starter.begin

        def seen(series: Sequence[Attempt], places: Sequence[Place], until: float) -> Begun:
            begun = begin(series, places, until)
            self.series.append((len(series), begun.well))
            return begun

        monkeypatch.setattr(lane._starter, "begin", seen)


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


def test_a_spare_folder_that_a_job_has_found_is_used_no_more(
    lane: CommandLane, settings: Settings
) -> None:
    [spare, *_] = sorted(settings.paths.jobs.glob(".spare-*-1"))
    run_all(lane, sh(f"sleep 0.02; touch {spare}/1/output/planted"))
    jobs = [sh("ls") for _ in range(4)]
    ends = run_all(lane, *(job for one in jobs for job in (a_job("true"), one)))
    assert all(result.outcome == OK for _, result in ends)
    assert [log_of(settings, job) for job in jobs] == [b""] * 4
    assert list(settings.paths.jobs.glob("[!.]*/1/output/planted")) == []


def test_nobody_can_go_to_a_spare_folder_that_would_not_show_it(
    settings: Settings, tmp_path: Path
) -> None:
    lane = CommandLane(Shop(settings, Deaf(), silent, Activity()), 0, lambda: 0)
    run_all(lane, a_job("true"), a_job("true"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in settings.paths.jobs.glob(".spare*")}
    assert modes == {".spare-worker-1-0-0": 0o700, ".spare-worker-1-0-1": 0o700}
    settle(lane)
    assert {path.stat().st_mode & 0o777 for path in settings.paths.jobs.glob(".spare*")} == {0o751}
    lane.close()


def test_a_disk_that_fills_up_puts_no_job_into_anothers_folder(
    lane: CommandLane, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sh("touch mine; echo $PWD")
    run_all(lane, first)

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "make_output", no_room)
    jobs = [sh("ls; pwd") for _ in range(3)]
    ends = run_all(lane, *jobs)
    assert [result.outcome for _, result in ends] == [OK] * 3
    for job in jobs:
        said = log_of(settings, job).decode().split()
        assert len(said) == 1
        assert job.id in said[0]


# A signal of `sigqueue`, whose sender is whatever the caller says.
FORGE = """
import ctypes, os, platform, signal, struct, sys
number = {"x86_64": 129, "aarch64": 138}[platform.machine()]  # rt_sigqueueinfo
order, SI_QUEUE = 41, -1
info = struct.pack("=5i", order, 0, SI_QUEUE, 0, int(sys.argv[1])).ljust(128, b"\\0")
sys.exit(ctypes.CDLL(None).syscall(number, os.getppid(), order, info))
"""


def test_an_order_in_the_supervisors_name_is_not_obeyed(lane: CommandLane) -> None:
    forger = a_job(sys.executable, "-c", FORGE, str(os.getpid()))
    ends = run_all(lane, forger, sh("sleep 0.02"), forger, a_job("true"))
    assert [result.outcome for _, result in ends] == [OK] * 4


def test_commands_that_cannot_be_executed_leave_nothing_in_the_launcher(
    lane: CommandLane, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.touch()

    def grown(times: int) -> int:
        jobs = [a_job(str(plain), env={"LONG": "x" * 60_000}) for _ in range(times)]
        assert {r.outcome.exit_code for _, r in run_all(lane, *jobs) if r.outcome} == {126}
        status = Path(f"/proc/{lane._station.launcher.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0])

    before = grown(30)
    assert grown(100) < before + 2000  # kB; each would be 60


def test_a_silent_job_that_changes_the_pipe_ends_the_series(
    lane: CommandLane, answered: Answered
) -> None:
    program = "import fcntl; fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 4096)"
    size = f"{sys.executable} -c 'import fcntl; print(fcntl.fcntl(1, fcntl.F_GETPIPE_SZ))'"
    said = sh(size)
    run_all(lane, a_job(sys.executable, "-c", program), a_job("true"), said)
    assert answered.series[0] == (3, 0)


@pytest.fixture
def shared(activity: Activity) -> Iterator[CommandLane]:
    """A lane whose jobs share their user with those of others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # unlike those of pytest, others may pass through it
        settings = place(Path(folder), isolate=True, caller=(23_456, 23_456))
        settings.paths.scratch[0].chmod(0o1777)
        lane = CommandLane(Shop(settings, Deaf(), silent, activity), 0, lambda: 0)
        yield lane
        lane.close()


def processes_of_shared() -> int:
    return len(list(processes_of(23_456)))


@needs_root
def test_what_could_not_be_cleared_up_beside_others_is_when_they_have_gone(
    shared: CommandLane, activity: Activity
) -> None:
    [scratch] = shared._shop.settings.paths.scratch
    activity.enter("another slot")
    run_all(shared, sh(f"touch {scratch}/litter; sleep 0.02"))
    run_all(shared, sh("setsid sleep 60 & kill -KILL $PPID; sleep 5"))
    assert [path.name for path in scratch.iterdir()] == ["litter"]
    assert processes_of_shared() > 0
    activity.leave("another slot")
    run_all(shared, a_job("true"), a_job("true"))
    assert list(scratch.iterdir()) == []
    assert processes_of_shared() == 0


@needs_root
def test_trouble_in_clearing_up_ends_no_slot(
    shared: CommandLane, activity: Activity, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity.enter("another slot")
    run_all(shared, sh("kill -KILL $PPID; sleep 5"))
    activity.leave("another slot")

    def no_descriptor(_user: object) -> bool:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("jobctl.worker.aftermath.end_all_of", no_descriptor)
    assert [result.outcome for _, result in run_all(shared, a_job("true"))] == [OK]
