"""Running real commands, as the current user, from the folder to the outcome."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobctl.queue import Cause, ClaimedJob, Outcome
from jobctl.worker.attempt import Activity, Attempt
from jobctl.worker.cause import Stop
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import Ended, Result, Shop
from jobctl.worker.reports import Report
from jobctl.worker.settings import Settings
from tests.support.worker_place import log_of, place, silent
from tests.support.worker_queue import a_job

Run = Callable[[ClaimedJob], Result]


class Heard:
    """What the lane told while attempts ran, merged; `then` is called after each report."""

    def __init__(self) -> None:
        self.begun: list[Attempt] = []
        self.said = Report()
        self.at_start: Callable[[Attempt], None] = lambda _: None
        self.then: Callable[[Attempt], None] = lambda _: None

    def started(self, attempt: Attempt) -> None:
        self.begun.append(attempt)
        self.at_start(attempt)

    def note(self, attempt: Attempt, report: Report) -> None:
        self.said = report.over(self.said)
        self.then(attempt)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return place(tmp_path, env={"POOL": "yes"})


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def lane(settings: Settings, heard: Heard) -> Iterator[CommandLane]:
    lane = CommandLane(Shop(settings, heard, silent, Activity()), 0, lambda: 0)
    yield lane
    lane.close()


def end_of(lane: CommandLane, attempt: Attempt) -> Result:
    ends: list[Ended] = []
    try:
        lane.run([attempt], ends.extend)
    finally:
        attempt.close()
    [(ended, result)] = ends
    assert ended is attempt
    return result


@pytest.fixture
def run(lane: CommandLane) -> Run:
    return lambda job: end_of(lane, Attempt(job))


def sh(script: str, **fields: Any) -> ClaimedJob:
    return a_job("/bin/sh", "-c", script, **fields)


def test_both_streams_go_to_the_log_in_order(run: Run, settings: Settings) -> None:
    job = sh("echo one; echo two >&2; echo three > /dev/stdout")
    assert run(job).outcome == Outcome(True, exit_code=0)
    assert log_of(settings, job) == b"one\ntwo\nthree\n"


def test_the_job_gets_its_output_folder_and_nothing_undeclared(
    run: Run, settings: Settings
) -> None:
    os.environ["JOBCTL_TEST_LEAK"] = "1"
    try:
        job = a_job("env", env={"MINE": "a b", "odd.name": "c"})
        assert run(job).outcome == Outcome(True, exit_code=0)
    finally:
        del os.environ["JOBCTL_TEST_LEAK"]
    names = {line.split("=")[0] for line in log_of(settings, job).decode().splitlines()}
    assert names == {
        *("PATH", "HOME", "LANG", "POOL", "MINE", "odd.name"),
        *("JOBCTL_JOB", "JOBCTL_ATTEMPT", "JOBCTL_OUTPUT", "JOBCTL_REPORT"),
    }


def test_outputs_stay_where_the_job_made_them(run: Run, settings: Settings) -> None:
    job = sh('echo x > result; [ "$PWD" = "$JOBCTL_OUTPUT" ]')
    assert run(job).outcome == Outcome(True, exit_code=0)
    result = settings.paths.jobs / job.id / "1" / "output" / "result"
    assert result.read_text() == "x\n"


def test_argv_meets_no_shell(run: Run, settings: Settings) -> None:
    job = a_job("printf", "%s|", "$HOME", "`id`", "a b", "")
    run(job)
    assert log_of(settings, job) == b"$HOME|`id`|a b||"


def test_stdin(run: Run, settings: Settings) -> None:
    data = bytes(range(256)) * 1000
    fed, empty = a_job("cat", stdin=data), a_job("cat")
    run(fed)
    run(empty)
    assert log_of(settings, fed) == data
    assert log_of(settings, empty) == b""


@pytest.mark.parametrize(
    ("script", "cause", "code", "number"),
    [
        ("exit 3", Cause.EXIT, 3, None),
        ("no-such-command", Cause.EXIT, 127, None),
        ("kill -SEGV $$", Cause.SIGNAL, None, 11),
    ],
)
def test_ends(run: Run, script: str, cause: Cause, code: int | None, number: int | None) -> None:
    outcome = run(sh(script)).outcome
    assert outcome is not None
    assert (outcome.cause, outcome.exit_code, outcome.signal) == (cause, code, number)


def test_a_command_that_is_not_there(run: Run, settings: Settings) -> None:
    job = a_job("no-such-command")
    outcome = run(job).outcome
    assert outcome is not None
    assert outcome.reason == "exit code 127 (command not found)"
    assert b"no-such-command" in log_of(settings, job)


def test_a_command_that_cannot_be_passed_on_is_rejected(run: Run) -> None:
    outcome = run(a_job("echo", "y" * 3_000_000)).outcome
    assert outcome is not None
    assert outcome.cause is Cause.REJECTED
    assert "too long" in outcome.reason


UP = """echo '::jobctl {"step":"up"}'"""


def test_a_timeout_ends_it(run: Run) -> None:
    outcome = run(sh("sleep 60", timeout=0.1, grace=30.0)).outcome
    assert outcome is not None
    assert (outcome.cause, outcome.signal) == (Cause.TIMEOUT, signal.SIGTERM)


def test_timeout_ends_the_group_gently_first(
    lane: CommandLane, heard: Heard, settings: Settings, tmp_path: Path
) -> None:
    inner = tmp_path / "inner"
    inner.write_text(f'trap "echo inner; exit" TERM\n{UP}\nsleep 60 &\nwait\n')
    job = sh(f"trap 'echo outer; wait; exit 0' TERM; sh {inner} & wait")
    # As if its time were over when both of them listen.
    heard.then = lambda attempt: attempt.end(Stop.TIMEOUT, grace=30)
    outcome = end_of(lane, Attempt(job)).outcome
    assert outcome is not None
    assert outcome.cause is Cause.TIMEOUT
    lines = log_of(settings, job).splitlines()
    assert sorted(line for line in lines if line[:2] != b"::") == [b"inner", b"outer"]


def test_a_job_that_ignores_sigterm_is_killed(lane: CommandLane, heard: Heard) -> None:
    heard.then = lambda attempt: attempt.end(Stop.TIMEOUT, grace=0.1)
    job = sh(f"trap '' TERM; {UP}; sleep 60 & wait; sleep 60")
    outcome = end_of(lane, Attempt(job)).outcome
    assert outcome is not None
    assert (outcome.cause, outcome.signal) == (Cause.TIMEOUT, signal.SIGKILL)


def test_the_end_is_the_exit_of_the_first_process(run: Run, settings: Settings) -> None:
    job = sh("sleep 60 & echo $!")
    assert run(job).outcome == Outcome(True, exit_code=0)
    # It held the pipe open. Now it is dead and gone.
    assert not Path("/proc", log_of(settings, job).decode().strip()).exists()


def test_a_cancel_ends_it(lane: CommandLane, heard: Heard) -> None:
    attempt = Attempt(sh("trap 'exit 0' TERM; echo '::jobctl {\"step\":\"up\"}'; sleep 60 & wait"))
    heard.then = lambda attempt: attempt.end(Stop.CANCEL, grace=30)
    outcome = end_of(lane, attempt).outcome
    assert outcome is not None
    assert (outcome.cause, outcome.exit_code) == (Cause.CANCELLED, 0)


@pytest.mark.parametrize("why", [Stop.TAKEN_OVER, Stop.HAND_BACK])
def test_a_job_that_is_not_ours_to_finish_has_no_outcome(
    lane: CommandLane, heard: Heard, why: Stop
) -> None:
    attempt = Attempt(
        sh("trap '' TERM; echo '::jobctl {\"step\":\"up\"}'; while :; do sleep 0.01; done")
    )
    heard.then = lambda attempt: attempt.end(why, grace=0)
    assert end_of(lane, attempt).outcome is None


def test_an_order_before_the_start_starts_nothing(lane: CommandLane, settings: Settings) -> None:
    cancelled, handed_back = Attempt(a_job("true")), Attempt(a_job("true"))
    cancelled.end(Stop.CANCEL, 1)
    handed_back.end(Stop.HAND_BACK, 1)
    outcome = end_of(lane, cancelled).outcome
    assert outcome is not None
    assert outcome.cause is Cause.CANCELLED
    assert end_of(lane, handed_back).outcome is None
    assert list(settings.paths.jobs.iterdir()) == []


def test_a_long_job_is_told_to_have_started(lane: CommandLane, heard: Heard) -> None:
    attempt = Attempt(sh("mkfifo fifo; read line < fifo"))
    heard.at_start = lambda attempt: attempt.end(Stop.CANCEL, grace=0)
    end_of(lane, attempt)
    assert heard.begun == [attempt]


def test_reports_by_line_and_by_file(run: Run, heard: Heard, settings: Settings) -> None:
    job = sh(
        'echo \'::jobctl {"progress": 5}\'; echo \'{"step": "b"}\' > $JOBCTL_REPORT; '
        "printf '::jobctl {\"checkpoint\": [1, 2]}'"
    )
    run(job)
    assert heard.said == Report(5.0, "b", "[1,2]")
    assert log_of(settings, job).startswith(b'::jobctl {"progress": 5}\n')


def test_memory_kills_while_it_ran_are_its_own_when_it_was_alone(
    settings: Settings, heard: Heard
) -> None:
    counts = iter([4, 5])
    lane = CommandLane(Shop(settings, heard, silent, Activity()), 0, lambda: next(counts))
    outcome = end_of(lane, Attempt(sh("exit 1"))).outcome
    assert outcome is not None
    assert outcome.cause is Cause.OOM
    lane.close()


def test_a_worker_in_trouble_does_not_fail_the_job(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.worker.command._REST_AFTER_TROUBLE", 0.0)
    settings.paths.run.rmdir()  # the FIFO cannot be made
    job = a_job("true")
    assert run(job).outcome is None
    assert not (settings.paths.jobs / job.id).exists()


def test_a_full_disk_does_not_fail_the_job(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jobctl.worker.places.prepare", no_room)
    job = sh("echo lost; echo x > file")
    assert run(job).outcome == Outcome(True, exit_code=0)
    assert not (settings.paths.jobs / job.id).exists()
