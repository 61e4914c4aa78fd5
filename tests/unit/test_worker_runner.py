"""Running real processes, as the current user, from the folder to the outcome."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobctl.queue import Cause, Job, Outcome
from jobctl.worker.attempt import Attempt
from jobctl.worker.cause import Stop
from jobctl.worker.reporter import Reporter
from jobctl.worker.reports import Report
from jobctl.worker.runner import Result, Runner
from jobctl.worker.settings import Settings
from tests.support.eventually import eventually
from tests.support.worker_place import log_of, place, silent
from tests.support.worker_queue import MemoryQueue, a_job

Run = Callable[[Job], Result]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return place(tmp_path, env={"POOL": "yes"})


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def runner(settings: Settings, queue: MemoryQueue) -> Runner:
    return Runner(settings, Reporter(queue, settings.incarnation), silent, lambda: 0)


@pytest.fixture
def run(runner: Runner) -> Run:
    def run_one(job: Job) -> Result:
        attempt = Attempt(replace(job, attempt=1))
        try:
            result = runner.run(attempt, 0)
            runner.reporter.settle(attempt)
        finally:
            attempt.close()
        return result

    return run_one


def sh(script: str, **fields: object) -> Job:
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
    outcome = run(a_job("x", "y" * 3_000_000)).outcome
    assert outcome is not None
    assert outcome.cause is Cause.REJECTED
    assert "too long" in outcome.reason


def test_timeout_ends_the_group_gently_first(run: Run, settings: Settings) -> None:
    job = sh(
        "sh -c 'trap \"echo inner; exit\" TERM; sleep 60 & wait' & "
        "trap 'echo outer; wait; exit 0' TERM; wait",
        timeout=0.5,
        grace=30.0,
    )
    outcome = run(job).outcome
    assert outcome is not None
    assert outcome.cause is Cause.TIMEOUT
    assert sorted(log_of(settings, job).split()) == [b"inner", b"outer"]


def test_a_job_that_ignores_sigterm_is_killed(run: Run) -> None:
    outcome = run(sh("trap '' TERM; sleep 60 & wait; sleep 60", timeout=0.1, grace=0.1)).outcome
    assert outcome is not None
    assert (outcome.cause, outcome.signal) == (Cause.TIMEOUT, signal.SIGKILL)


def test_the_end_is_the_exit_of_the_first_process(run: Run, settings: Settings) -> None:
    job = sh("sleep 60 & echo $!")
    assert run(job).outcome == Outcome(True, exit_code=0)
    # It held the pipe open. It dies, though perhaps nobody waits for it here.
    status = Path("/proc") / log_of(settings, job).decode().strip() / "status"
    eventually(lambda: not status.exists() or "\nState:\tZ" in status.read_text())


def test_a_cancel_ends_it(runner: Runner) -> None:
    attempt = Attempt(sh("trap 'exit 0' TERM; echo '::jobctl {\"step\":\"up\"}'; sleep 60 & wait"))
    note = runner.reporter.note

    def cancel_when_up(attempt: Attempt, report: Report) -> None:
        note(attempt, report)
        attempt.end(Stop.CANCEL, grace=30)

    runner.reporter.note = cancel_when_up  # type: ignore[method-assign]
    outcome = runner.run(attempt, 0).outcome
    assert outcome is not None
    assert (outcome.cause, outcome.exit_code) == (Cause.CANCELLED, 0)
    attempt.close()


@pytest.mark.parametrize("why", [Stop.TAKEN_OVER, Stop.HAND_BACK])
def test_a_job_that_is_not_ours_to_finish_has_no_outcome(runner: Runner, why: Stop) -> None:
    attempt = Attempt(sh("trap '' TERM; while :; do sleep 0.01; done"))
    threading.Timer(0.1, lambda: attempt.end(why, grace=0)).start()
    assert runner.run(attempt, 0).outcome is None
    attempt.close()


def test_an_order_before_the_start_starts_nothing(runner: Runner, settings: Settings) -> None:
    cancelled, handed_back = Attempt(a_job("true")), Attempt(a_job("true"))
    cancelled.end(Stop.CANCEL, 1)
    handed_back.end(Stop.HAND_BACK, 1)
    outcome = runner.run(cancelled, 0).outcome
    assert outcome is not None
    assert outcome.cause is Cause.CANCELLED
    assert runner.run(handed_back, 0).outcome is None
    assert list(settings.paths.jobs.iterdir()) == []


def test_reports_by_line_and_by_file(run: Run, queue: MemoryQueue, settings: Settings) -> None:
    job = sh(
        'echo \'::jobctl {"progress": 5}\'; echo \'{"step": "b"}\' > $JOBCTL_REPORT; '
        "printf '::jobctl {\"checkpoint\": [1, 2]}'"
    )
    run(job)
    assert queue.reports == [
        {"id": job.id, "step": "b", "progress": 5.0, "checkpoint": "[1,2]"},
    ]
    assert log_of(settings, job).startswith(b'::jobctl {"progress": 5}\n')


def test_memory_kills_while_it_ran_are_its_own_when_it_was_alone(
    settings: Settings, queue: MemoryQueue
) -> None:
    counts = iter([4, 5])
    runner = Runner(settings, Reporter(queue, "x"), silent, lambda: next(counts))
    attempt = Attempt(sh("exit 1"))
    outcome = runner.run(attempt, 0).outcome
    assert outcome is not None
    assert outcome.cause is Cause.OOM
    attempt.close()


def test_a_worker_in_trouble_does_not_fail_the_job(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobctl.worker.runner._REST_AFTER_TROUBLE", 0.0)
    settings.paths.run.rmdir()  # the FIFO cannot be made
    assert run(a_job("true")).outcome is None


def test_a_full_disk_does_not_fail_the_job(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jobctl.worker.runner.prepare", no_room)
    job = sh("echo lost; echo x > file")
    assert run(job).outcome == Outcome(True, exit_code=0)
    assert not (settings.paths.jobs / job.id).exists()
