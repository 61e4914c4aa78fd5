"""A slot's jobs share folders under changing names: each finds itself in its own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobctl.queue import ClaimedJob, Outcome
from jobctl.worker.attempt import Activity, Attempt
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import Ended, Result, Shop
from jobctl.worker.settings import Settings
from tests.support.command_lane import Deaf, settle
from tests.support.worker_place import log_of, place, silent
from tests.support.worker_queue import a_job

OK = Outcome(True, exit_code=0)
Run = Callable[[ClaimedJob], Result]


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
    settle(lane)


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
    known = dict(lane._station.launcher._spares)
    assert known[0] == lane._places._spares[0].number
    for _ in range(3):
        said, own = where(settings, run)
        assert said == own
    assert lane._station.launcher._spares == known


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
