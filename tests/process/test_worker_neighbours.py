"""Commands of one slot, one after the other: what one does is not another's."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobctl.worker import folders
from jobctl.worker.aftermath import Aftermath
from jobctl.worker.attempt import Activity
from jobctl.worker.command import CommandLane
from jobctl.worker.lane import Shop
from jobctl.worker.settings import JobUser, Settings
from tests.support.command_lane import OK, Answered, Deaf, run_all, settle, settled_lane, sh
from tests.support.worker_place import log_of, place, silent
from tests.support.worker_queue import a_job


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return place(tmp_path)


@pytest.fixture
def activity() -> Activity:
    return Activity()


@pytest.fixture
def lane(settings: Settings, activity: Activity) -> Iterator[CommandLane]:
    with settled_lane(settings, activity) as lane:
        yield lane


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
    lane: CommandLane, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = Answered(lane, monkeypatch)
    program = "import fcntl; fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 4096)"
    size = f"{sys.executable} -c 'import fcntl; print(fcntl.fcntl(1, fcntl.F_GETPIPE_SZ))'"
    said = sh(size)
    run_all(lane, a_job(sys.executable, "-c", program), a_job("true"), said)
    assert answered.series[0] == (3, 0)


@pytest.fixture
def shared(lane: CommandLane, activity: Activity) -> CommandLane:
    """A lane whose jobs share their user with those of other slots."""
    user = JobUser(os.geteuid(), os.getegid(), shared=True)
    lane._aftermath = Aftermath(lane._shop, user, lane)
    return lane


def test_what_could_not_be_cleared_up_beside_others_is_when_they_have_gone(
    shared: CommandLane,
    settings: Settings,
    activity: Activity,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[JobUser] = []

    def end_all(user: JobUser) -> bool:
        ended.append(user)
        return True

    monkeypatch.setattr("jobctl.worker.aftermath.end_all_of", end_all)
    [scratch] = settings.paths.scratch
    activity.enter("another slot")
    run_all(shared, sh(f"touch {scratch}/litter; sleep 0.02"))
    run_all(shared, sh("kill -KILL $PPID; sleep 5"))
    assert [path.name for path in scratch.iterdir()] == ["litter"]
    assert ended == []
    activity.leave("another slot")
    run_all(shared, a_job("true"), a_job("true"))
    assert list(scratch.iterdir()) == []
    assert len(ended) == 1


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
