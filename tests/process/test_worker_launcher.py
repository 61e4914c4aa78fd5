"""What one job can do to the launcher and the FIFOs of its slot, and what the next one sees."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.queue import Cause, ClaimedJob, Outcome
from jobctl.worker import launcher as supervisors_side
from jobctl.worker import launcher_main
from jobctl.worker.attempt import Activity, Attempt
from jobctl.worker.cause import Stop
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import Ended, Shop
from jobctl.worker.reports import Report
from jobctl.worker.settings import Settings
from tests.support.worker_place import log_of, place
from tests.support.worker_queue import a_job

OK = Outcome(True, exit_code=0)


class Journal:
    """The events of the worker's log."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, event: str, /, **_: object) -> None:
        self.events.append(event)


class Ear:
    """A listener; `then` is what is done about a report."""

    def __init__(self) -> None:
        self.then: Callable[[Attempt], None] = lambda _: None

    def started(self, attempt: Attempt) -> None: ...

    def note(self, attempt: Attempt, report: Report) -> None:
        self.then(attempt)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return place(tmp_path)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def lane(settings: Settings, journal: Journal, ear: Ear) -> Iterator[CommandLane]:
    lane = CommandLane(Shop(settings, ear, journal, Activity()), 0, lambda: 0)
    yield lane
    lane.close()


Run = Callable[[ClaimedJob], Outcome]


@pytest.fixture
def run(lane: CommandLane) -> Run:
    def run_one(job: ClaimedJob) -> Outcome:
        ends: list[Ended] = []
        attempt = Attempt(job)
        lane.run([attempt], ends.extend)
        attempt.close()
        [(_, result)] = ends
        assert result.outcome is not None
        return result.outcome

    return run_one


def sh(script: str, **fields: Any) -> ClaimedJob:
    return a_job("/bin/sh", "-c", script, **fields)


def test_both_sides_mean_the_same_orders() -> None:
    for name in ("LINE", "BEGUN", "PRINTED", "REPORTED", "END", "KILL"):
        assert getattr(supervisors_side, name) == getattr(launcher_main, name)
    assert supervisors_side._WELL == launcher_main.WELL


def test_one_launcher_serves_job_after_job(lane: CommandLane, run: Run) -> None:
    run(a_job("true"))
    first = lane._station.launcher.pid
    run(sh("exit 3"))
    run(a_job("no-such-command"))
    assert lane._station.launcher.pid == first


def test_a_job_that_kills_its_launcher_is_told_so_and_the_next_one_runs(
    run: Run, settings: Settings, journal: Journal
) -> None:
    outcome = run(sh("echo before; kill -KILL $PPID"))
    assert (outcome.cause, outcome.signal) == (Cause.SIGNAL, signal.SIGKILL)
    assert "process that started it" in outcome.reason
    assert "processes-left" in journal.events  # without a UID of its own nobody can tell
    job = sh("echo after")
    assert run(job) == OK
    assert log_of(settings, job) == b"after\n"


def test_a_launcher_that_died_while_idle_fails_nothing(lane: CommandLane, run: Run) -> None:
    run(a_job("true"))
    pid = lane._station.launcher.pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert run(a_job("true")) == OK


def test_a_stopped_launcher_does_not_keep_a_job_from_its_timeout(
    run: Run, journal: Journal
) -> None:
    outcome = run(sh("kill -STOP $PPID; exec sleep 60", timeout=0.2, grace=0.0))
    assert outcome.cause is Cause.TIMEOUT
    assert "processes-left" not in journal.events


def test_a_launcher_that_is_stopped_before_it_obeys_is_woken_again(
    lane: CommandLane, run: Run, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = lane._station.launcher

    def stop_and_order(number: int) -> None:
        if number == signal.SIGKILL:
            os.kill(launcher.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, launcher.pid, os.WSTOPPED)
            os.kill(launcher.pid, supervisors_side.KILL)

    monkeypatch.setattr(launcher, "order", stop_and_order)
    assert run(sh("exec sleep 60", timeout=0.1, grace=0.0)).cause is Cause.TIMEOUT
    assert "processes-left" not in journal.events


def test_a_launcher_that_obeys_no_order_is_given_up(
    lane: CommandLane, run: Run, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.worker.watch._LAST_WAIT", 0.1)
    monkeypatch.setattr(lane._station.launcher, "order", lambda _: None)
    # It ends when its stdout has no reader any more: nobody else could end it here.
    script = "kill -STOP $PPID; trap '' TERM; while sleep 0.05 && echo; do :; done"
    assert run(sh(script, timeout=0.1, grace=0.0)).cause is Cause.TIMEOUT
    assert "processes-left" in journal.events


@pytest.mark.parametrize("others", ["", "sh -c 'trap : TERM; sleep 60 & wait; wait' & "])
def test_a_job_that_goes_over_to_its_launchers_group_is_ended_all_the_same(
    run: Run, ear: Ear, tmp_path: Path, others: str
) -> None:
    program = tmp_path / "turncoat.py"
    program.write_text(
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "os.setpgid(0, os.getpgid(os.getppid()))\n"
        'print(\'::jobctl {"step":"over"}\', flush=True)\n'
        "time.sleep(60)\n"
    )
    # As if its time were over when it is there.
    ear.then = lambda attempt: attempt.end(Stop.TIMEOUT, grace=30)
    outcome = run(sh(f"{others}exec {sys.executable} {program}"))
    assert (outcome.cause, outcome.exit_code) == (Cause.TIMEOUT, 7)


def test_a_polite_signal_to_the_launcher_is_not_heard(run: Run) -> None:
    assert run(sh("kill $PPID; kill -INT $PPID; kill -HUP $PPID")) == OK


def test_an_order_that_came_too_late_is_not_for_the_next_job(lane: CommandLane, run: Run) -> None:
    run(a_job("true"))
    lane._station.launcher.order(signal.SIGKILL)
    lane._station.launcher.order(signal.SIGTERM)
    assert run(sh("sleep 0.05")) == OK


def test_a_job_gives_the_launcher_no_orders(run: Run) -> None:
    forged = f"kill -{launcher_main.END} $PPID; kill -{launcher_main.KILL} $PPID"
    assert run(sh(f"{forged}; sleep 0.05")) == OK
    assert run(sh("sleep 0.05")) == OK


def test_a_launcher_that_a_job_has_reniced_serves_no_other(run: Run, settings: Settings) -> None:
    before, after = sh("nice"), sh("nice")
    run(before)
    run(sh("renice -n 5 -p $PPID"))
    run(after)
    assert log_of(settings, after) == log_of(settings, before)


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60 & echo $!",
        "setsid sleep 60 & sleep 0.05; echo $!",
        # Its parent, and that one's parent, are gone: a daemon by the book.
        "(setsid sh -c 'sleep 60 & echo $! > pid' &); until [ -s pid ]; do :; done; cat pid",
        "trap '' TERM HUP INT; (trap '' TERM; sleep 60) & echo $!",
    ],
)
def test_whatever_way_a_process_leaves_it_ends_with_the_job(
    run: Run, settings: Settings, script: str
) -> None:
    job = sh(script)
    assert run(job) == OK
    assert not Path("/proc", log_of(settings, job).decode().strip()).exists()


def test_what_is_printed_after_the_main_process_is_the_jobs_or_nobodys(
    run: Run, settings: Settings
) -> None:
    late = "(echo late; touch begun; while :; do echo late; done) &"
    job, following = sh(f"{late} until [ -e begun ]; do :; done; exit 0"), sh("echo mine")
    assert run(job) == OK
    assert run(following) == OK
    assert set(log_of(settings, job).split()) == {b"late"}
    assert log_of(settings, following) == b"mine\n"


def test_a_job_may_close_its_streams_and_work_on(run: Run, settings: Settings) -> None:
    job = sh("echo first; exec >&- 2>&- <&-; sleep 0.05; touch done; exit 4")
    assert run(job).exit_code == 4
    assert log_of(settings, job) == b"first\n"
    assert (settings.paths.jobs / job.id / "1" / "output" / "done").exists()


def test_a_full_pipe_waits_and_does_not_lose_a_byte(run: Run, settings: Settings) -> None:
    job = sh("head -c 3000000 /dev/zero")
    assert run(job) == OK
    assert log_of(settings, job) == bytes(3_000_000)


def test_many_reports_by_file_are_read(run: Run, settings: Settings) -> None:
    job = sh('for n in 1 2 3; do echo "{\\"progress\\": $n}" > $JOBCTL_REPORT; done')
    assert run(job) == OK
    assert run(sh("sleep 0.05")) == OK


def test_a_script_without_a_first_line_is_read_by_the_shell(run: Run, settings: Settings) -> None:
    script = settings.paths.run / "script"
    script.write_text('echo "$0 $1"\n')
    script.chmod(0o755)
    job = a_job(str(script), "one")
    assert run(job) == OK
    assert log_of(settings, job) == f"{script} one\n".encode()


def test_a_file_that_cannot_be_executed_is_told_from_one_that_is_not_there(
    run: Run, settings: Settings
) -> None:
    plain = settings.paths.run / "plain"
    plain.write_text("")
    env = {"PATH": f"/nowhere:{settings.paths.run}"}
    assert run(a_job(str(plain))).exit_code == 126
    assert run(a_job("plain", env=env)).exit_code == 126
    assert run(a_job("other", env=env)).exit_code == 127
    assert run(a_job(str(plain / "below"))).exit_code == 127


def test_the_search_is_along_the_jobs_own_path(run: Run, settings: Settings) -> None:
    tool = settings.paths.run / "only-here"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)
    job = a_job("only-here", env={"PATH": f"/nowhere:{settings.paths.run}:/bin"})
    assert run(job) == OK
    assert log_of(settings, job) == b"found\n"


def test_what_no_process_can_have_is_rejected(run: Run) -> None:
    assert run(a_job("echo", "a\0b")).cause is Cause.REJECTED
    assert run(a_job("echo", env={"A": "a\0b"})).cause is Cause.REJECTED


def test_a_job_that_does_nothing_leaves_no_folder_and_costs_none(
    run: Run, settings: Settings
) -> None:
    for _ in range(3):
        assert run(sh("sleep 0.05")) == OK
    assert [path.name for path in settings.paths.jobs.iterdir()] == [".spare-worker-1-0-0"]


def test_closing_leaves_nothing(settings: Settings, journal: Journal) -> None:
    lane = CommandLane(Shop(settings, Ear(), journal, Activity()), 0)
    attempt = Attempt(a_job("true"))
    lane.run([attempt], lambda _: None)
    attempt.close()
    pid = lane._station.launcher.pid
    lane.close()
    assert not Path(f"/proc/{pid}").exists()
    assert list(settings.paths.run.iterdir()) == []
    assert list(settings.paths.jobs.iterdir()) == []
